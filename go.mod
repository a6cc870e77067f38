module github.com/passiflow/passiflow

go 1.26
