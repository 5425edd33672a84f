module lab

go 1.19

require (
	github.com/coreos/etcd v2.1.1+incompatible // indirect
	github.com/golang/protobuf v1.5.2 // indirect
	google.golang.org/appengine v1.6.8 // indirect
	google.golang.org/protobuf v1.26.0 // indirect
)
