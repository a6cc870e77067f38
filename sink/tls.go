package sink

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TLSConfig says whom a client trusts and who it is.
type TLSConfig struct {
	// CA is a PEM file with the certificates of authorities that are trusted,
	// in place of the system's. Default: the system's.
	CA string
	// Certificate and Key are PEM files by which the client proves who it is.
	// Both or none. Default: none.
	Certificate, Key string
	// Name is the host name that the receiver's certificate must carry. Default:
	// that of the URL.
	Name string
	// Insecure takes any certificate: whoever is on the way can read and change
	// what is sent. Default false.
	Insecure bool
}

// Client returns what a TLS client needs.
func (c TLSConfig) Client() (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.Name, InsecureSkipVerify: c.Insecure}
	if c.CA != "" {
		pem, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, fmt.Errorf("tls ca: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls ca %s: holds no certificate in PEM form", c.CA)
		}
	}
	if (c.Certificate == "") != (c.Key == "") {
		return nil, errors.New("tls: certificate and key belong together: give both or none")
	}
	if c.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(c.Certificate, c.Key)
		if err != nil {
			return nil, fmt.Errorf("tls certificate: %w", err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}
