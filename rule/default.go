package rule

import "slices"

// Default returns the rules that hold when nobody says otherwise: they keep
// every record and mask credentials and card numbers.
func Default() *Set {
	e := &entry{place: "default", what: "mask"}
	return &Set{steps: []step{{kind: maskRule, masks: defaultMasks(nil, e)}}, entries: []*entry{e}}
}

// SecretParameters returns the names of the parameters in URLs and forms whose
// values are credentials, and which are masked by default.
func SecretParameters() []string {
	return []string{
		"access_token", "refresh_token", "id_token", "auth_token", "session_token", "csrf_token", "api_token", "private_token", "client_secret", "client_assertion",
		"api_key", "apikey", "api_secret", "app_secret", "secret_key", "password", "passwd", "passphrase", "pwd", "secret", "token", "jwt", "assertion",
		"new_password", "old_password", "current_password", "password_confirmation", "subscription-key", "code_verifier", "SAMLResponse",
		"X-Amz-Signature", "X-Amz-Security-Token", "X-Goog-Signature", "sig", "signature", "jsessionid", "phpsessid", "sessionid", "session_id",
		"authorization", "private_key", "j_password", "accessToken", "refreshToken", "idToken", "authToken", "sessionToken", "csrfToken", "apiToken",
		"clientSecret", "apiSecret", "appSecret", "secretKey", "privateKey", "newPassword", "oldPassword", "currentPassword", "passwordConfirmation", "codeVerifier",
	}
}

// SecretMembers returns the names of the members of JSON, and of the elements and
// attributes of XML, whose values are credentials, and which are masked by
// default.
func SecretMembers() []string {
	return []string{
		"password", "passwd", "passphrase", "pwd", "secret", "client_secret", "clientSecret", "access_token", "accessToken", "refresh_token", "refreshToken",
		"id_token", "idToken", "auth_token", "authToken", "api_key", "apikey", "private_key", "privateKey", "secret_key", "secretKey",
		"token", "jwt", "authorization", "session_token", "sessionToken", "csrf_token", "csrfToken", "api_token", "apiToken", "api_secret", "apiSecret", "app_secret", "appSecret",
		"new_password", "newPassword", "old_password", "oldPassword", "current_password", "currentPassword", "password_confirmation", "passwordConfirmation",
		"client_assertion", "clientAssertion", "code_verifier", "codeVerifier",
	}
}

// defaultMasks are the masks that hold unless they are turned off, without those
// of certain names.
func defaultMasks(except []string, e *entry) *masks {
	w := &with{text: Redacted, rule: e}
	wanted := func(all []string) []string {
		return slices.DeleteFunc(all, func(n string) bool {
			return slices.ContainsFunc(except, func(x string) bool { return foldName(x) == foldName(n) })
		})
	}
	k := &masks{secrets: newSecrets(wanted(SecretHeaders()), w), query: &names{}, form: &names{}, json: &jsonNames{}, plain: &xmlPaths{}, first: e}
	for _, n := range wanted(SecretParameters()) {
		_ = k.query.add(n, w) // plain names are never refused
		_ = k.form.add(n, w)
	}
	for _, n := range wanted(SecretMembers()) {
		_ = k.json.add(n, w)
		_, _ = k.plain.add("//"+n, w)
		_, _ = k.plain.add("//@"+n, w)
	}
	d := &detector{card: true, body: true, headers: true, query: true, target: true, with: w}
	if slices.ContainsFunc(except, func(x string) bool { return x == kindCard }) {
		k.ready()
		return k
	}
	k.detect, k.looks = []*detector{d}, d.looks()
	k.ready()
	return k
}
