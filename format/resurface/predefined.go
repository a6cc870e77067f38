package resurface

// The predefined sets, in the words of Resurface's documents but for one: where
// the set standard says request_param, which is the key of no pair, it means
// each parameter.
const (
	debugRules = `allow_http_url
copy_session_field /.*/`

	standardRules = `/request_header:cookie|response_header:set-cookie/remove
/(request|response)_body|request_param:.*/ replace /[a-zA-Z0-9.!#$%&’*+\/=?^_` + "`" + `{|}~-]+@[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)/, /x@y.com/
/request_body|request_param:.*|response_body/ replace /[0-9\.\-\/]{9,}/, /xyxy/`

	strictRules = `/request_url/ replace /([^\?;]+).*/, /$1/
/request_body|response_body|request_param:.*|request_header:(?!user-agent).*|response_header:(?!(content-length)|(content-type)).*/ remove`
)
