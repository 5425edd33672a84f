module lab

go 1.19

require github.com/coreos/etcd v2.0.0+incompatible // indirect
