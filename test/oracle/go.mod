module github.com/passiflow/passiflow/test/oracle

go 1.26.0

require github.com/passiflow/passiflow v0.0.0

require github.com/gopacket/gopacket v1.7.7

replace github.com/passiflow/passiflow => ../..
