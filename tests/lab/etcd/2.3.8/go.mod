module lab

go 1.19

require github.com/coreos/etcd v2.3.8+incompatible // indirect
