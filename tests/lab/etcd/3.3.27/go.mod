module lab

go 1.19

replace github.com/beorn7/perks => github.com/beorn7/perks v1.0.1

replace github.com/bgentry/speakeasy => github.com/bgentry/speakeasy v0.1.0

replace github.com/coreos/bbolt => go.etcd.io/bbolt v1.3.3

replace github.com/coreos/go-semver => github.com/coreos/go-semver v0.2.0

replace github.com/coreos/go-systemd => github.com/coreos/go-systemd v0.0.0-20190321100706-95778dfbb74e

replace github.com/coreos/pkg => github.com/coreos/pkg v0.0.0-20180928190104-399ea9e2e55f

replace github.com/dgrijalva/jwt-go => github.com/dgrijalva/jwt-go v3.2.0+incompatible

replace github.com/dustin/go-humanize => github.com/dustin/go-humanize v1.0.0

replace github.com/gogo/protobuf => github.com/gogo/protobuf v1.2.1

replace github.com/golang/groupcache => github.com/golang/groupcache v0.0.0-20190702054246-869f871628b6

replace github.com/golang/protobuf => github.com/golang/protobuf v1.3.2

replace github.com/google/btree => github.com/google/btree v1.0.0

replace github.com/google/uuid => github.com/google/uuid v1.0.0

replace github.com/gorilla/websocket => github.com/gorilla/websocket v1.4.2

replace github.com/grpc-ecosystem/go-grpc-middleware => github.com/grpc-ecosystem/go-grpc-middleware v1.0.0

replace github.com/grpc-ecosystem/go-grpc-prometheus => github.com/grpc-ecosystem/go-grpc-prometheus v1.2.0

replace github.com/grpc-ecosystem/grpc-gateway => github.com/grpc-ecosystem/grpc-gateway v1.4.1

replace github.com/jonboulle/clockwork => github.com/jonboulle/clockwork v0.1.0

replace github.com/json-iterator/go => github.com/json-iterator/go v1.1.7

replace github.com/mattn/go-runewidth => github.com/mattn/go-runewidth v0.0.4

replace github.com/modern-go/reflect2 => github.com/modern-go/reflect2 v1.0.2

replace github.com/olekukonko/tablewriter => github.com/olekukonko/tablewriter v0.0.1

replace github.com/prometheus/client_golang => github.com/prometheus/client_golang v1.0.0

replace github.com/prometheus/client_model => github.com/prometheus/client_model v0.0.0-20190812154241-14fe0d1b01d4

replace github.com/prometheus/common => github.com/prometheus/common v0.4.1

replace github.com/prometheus/procfs => github.com/prometheus/procfs v0.0.2

replace github.com/sirupsen/logrus => github.com/sirupsen/logrus v1.4.2

replace github.com/soheilhy/cmux => github.com/soheilhy/cmux v0.1.4

replace github.com/spf13/cobra => github.com/spf13/cobra v0.0.5

replace github.com/spf13/pflag => github.com/spf13/pflag v1.0.3

replace github.com/tmc/grpc-websocket-proxy => github.com/tmc/grpc-websocket-proxy v0.0.0-20190109142713-0ad062ec5ee5

replace github.com/urfave/cli => github.com/urfave/cli v1.22.1

replace github.com/xiang90/probing => github.com/xiang90/probing v0.0.0-20190116061207-43a291ad63a2

replace go.uber.org/atomic => go.uber.org/atomic v1.4.0

replace go.uber.org/multierr => go.uber.org/multierr v1.1.0

replace go.uber.org/zap => go.uber.org/zap v1.10.0

replace golang.org/x/crypto => golang.org/x/crypto v0.0.0-20210921155107-089bfa567519

replace golang.org/x/net => golang.org/x/net v0.0.0-20220722155237-a158d28d115b

replace golang.org/x/sys => golang.org/x/sys v0.0.0-20220722155257-8c9f86f7a55f

replace golang.org/x/text => golang.org/x/text v0.3.8

replace golang.org/x/time => golang.org/x/time v0.0.0-20210723032227-1f47c861a9ac

replace google.golang.org/genproto => google.golang.org/genproto v0.0.0-20190819201941-24fa4b261c55

replace google.golang.org/grpc => google.golang.org/grpc v1.23.1

replace gopkg.in/cheggaaa/pb.v1 => gopkg.in/cheggaaa/pb.v1 v1.0.25

replace gopkg.in/yaml.v2 => gopkg.in/yaml.v2 v2.4.0

replace sigs.k8s.io/yaml => sigs.k8s.io/yaml v1.1.0

require github.com/beorn7/perks v1.0.1

require github.com/bgentry/speakeasy v0.1.0

require github.com/coreos/bbolt v1.3.3

require github.com/coreos/go-semver v0.2.0

require github.com/coreos/go-systemd v0.0.0-20190321100706-95778dfbb74e

require github.com/coreos/pkg v0.0.0-20180928190104-399ea9e2e55f

require github.com/dgrijalva/jwt-go v3.2.0+incompatible

require github.com/dustin/go-humanize v1.0.0

require github.com/gogo/protobuf v1.2.1

require github.com/golang/groupcache v0.0.0-20190702054246-869f871628b6

require github.com/golang/protobuf v1.3.2

require github.com/google/btree v1.0.0

require github.com/google/uuid v1.0.0

require github.com/gorilla/websocket v1.4.2

require github.com/grpc-ecosystem/go-grpc-middleware v1.0.0

require github.com/grpc-ecosystem/go-grpc-prometheus v1.2.0

require github.com/grpc-ecosystem/grpc-gateway v1.4.1

require github.com/jonboulle/clockwork v0.1.0

require github.com/json-iterator/go v1.1.7

require github.com/mattn/go-runewidth v0.0.4

require github.com/modern-go/reflect2 v1.0.2

require github.com/olekukonko/tablewriter v0.0.1

require github.com/prometheus/client_golang v1.0.0

require github.com/prometheus/client_model v0.0.0-20190812154241-14fe0d1b01d4

require github.com/prometheus/common v0.4.1

require github.com/prometheus/procfs v0.0.2

require github.com/sirupsen/logrus v1.4.2

require github.com/soheilhy/cmux v0.1.4

require github.com/spf13/cobra v0.0.5

require github.com/spf13/pflag v1.0.3

require github.com/tmc/grpc-websocket-proxy v0.0.0-20190109142713-0ad062ec5ee5

require github.com/urfave/cli v1.22.1

require github.com/xiang90/probing v0.0.0-20190116061207-43a291ad63a2

require go.uber.org/atomic v1.4.0

require go.uber.org/multierr v1.1.0

require go.uber.org/zap v1.10.0

require golang.org/x/crypto v0.0.0-20210921155107-089bfa567519

require golang.org/x/net v0.0.0-20220722155237-a158d28d115b

require golang.org/x/sys v0.0.0-20220722155257-8c9f86f7a55f

require golang.org/x/text v0.3.8

require golang.org/x/time v0.0.0-20210723032227-1f47c861a9ac

require google.golang.org/genproto v0.0.0-20190819201941-24fa4b261c55

require google.golang.org/grpc v1.23.1

require gopkg.in/cheggaaa/pb.v1 v1.0.25

require gopkg.in/yaml.v2 v2.4.0

require sigs.k8s.io/yaml v1.1.0

require (
	github.com/coreos/etcd v3.3.27+incompatible // indirect
	github.com/inconshreveable/mousetrap v1.0.0 // indirect
	github.com/konsorten/go-windows-terminal-sequences v1.0.1 // indirect
	github.com/matttproud/golang_protobuf_extensions v1.0.1 // indirect
	github.com/modern-go/concurrent v0.0.0-20180306012644-bacd9c7ef1dd // indirect
)
