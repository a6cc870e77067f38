package golden

import "encoding/base64"

// squeezed returns "compressed content, " eight times over in a content coding.
// The bytes stand here because what compresses may do it otherwise tomorrow.
func squeezed(coding string) string {
	b, err := base64.StdEncoding.DecodeString(map[string]string{
		"gzip":     "H4sIAAAAAAAA/0rOzy0oSi0uTk1RSM7PK0nNK9FRGExigAAAAP//6Yq4TaAAAAA=",
		"deflate":  "eJxKzs8tKEotLk5NUUjOzytJzSvRURhMYoAAAAD//0zFPOE=",
		"br":       "G58AAAQ8ZKl+XW2IJjeBRrKksJS/cJp72IZw",
		"zstd":     "KLUv/QQA7QAARAFjb21wcmVzc2VkIGNvbnRlbnQsIAFUEgQrEhcu4mVw",
		"gzip, br": "CxeAH4sIAAAAAAAA/0rOzy0oSi0uTk1RSM7PK0nNK9FRGExigAAAAP//6Yq4TaAAAAAD",
	}[coding])
	if err != nil {
		panic(err)
	}
	return string(b)
}
