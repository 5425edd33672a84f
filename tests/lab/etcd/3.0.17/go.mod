module lab

go 1.19

replace github.com/beorn7/perks => github.com/beorn7/perks v0.0.0-20180321164747-3a771d992973

replace github.com/bgentry/speakeasy => github.com/bgentry/speakeasy v0.1.0

replace github.com/boltdb/bolt => github.com/boltdb/bolt v1.3.1

replace github.com/cockroachdb/cmux => github.com/cockroachdb/cmux v0.0.0-20170110192607-30d10be49292

replace github.com/coreos/go-semver => github.com/coreos/go-semver v0.2.0

replace github.com/coreos/go-systemd => github.com/coreos/go-systemd v0.0.0-20160815185329-bfdc81d0d7e0

replace github.com/coreos/pkg => github.com/coreos/pkg v0.0.0-20180928190104-399ea9e2e55f

replace github.com/dustin/go-humanize => github.com/dustin/go-humanize v1.0.0

replace github.com/ghodss/yaml => github.com/ghodss/yaml v1.0.0

replace github.com/gogo/protobuf => github.com/gogo/protobuf v1.2.1

replace github.com/golang/protobuf => github.com/golang/protobuf v1.3.2

replace github.com/google/btree => github.com/google/btree v0.0.0-20180813153112-4030bb1f1f0c

replace github.com/grpc-ecosystem/grpc-gateway => github.com/grpc-ecosystem/grpc-gateway v1.1.0

replace github.com/jonboulle/clockwork => github.com/jonboulle/clockwork v0.1.0

replace github.com/mattn/go-runewidth => github.com/mattn/go-runewidth v0.0.2

replace github.com/olekukonko/tablewriter => github.com/olekukonko/tablewriter v0.0.0-20170122224234-a0225b3f23b5

replace github.com/prometheus/client_golang => github.com/prometheus/client_golang v0.8.0

replace github.com/prometheus/client_model => github.com/prometheus/client_model v0.0.0-20180712105110-5c3871d89910

replace github.com/prometheus/common => github.com/prometheus/common v0.0.0-20181113130724-41aa239b4cce

replace github.com/prometheus/procfs => github.com/prometheus/procfs v0.0.0-20181005140218-185b4288413d

replace github.com/spf13/cobra => github.com/spf13/cobra v0.0.3

replace github.com/spf13/pflag => github.com/spf13/pflag v1.0.1

replace github.com/ugorji/go => github.com/ugorji/go v0.0.0-20170107133203-ded73eae5db7

replace github.com/urfave/cli => github.com/urfave/cli v1.20.0

replace github.com/xiang90/probing => github.com/xiang90/probing v0.0.0-20160813154853-07dd2e8dfe18

replace golang.org/x/crypto => golang.org/x/crypto v0.0.0-20210921155107-089bfa567519

replace golang.org/x/net => golang.org/x/net v0.0.0-20220722155237-a158d28d115b

replace golang.org/x/text => golang.org/x/text v0.3.8

replace google.golang.org/grpc => google.golang.org/grpc v1.0.0

replace gopkg.in/yaml.v2 => gopkg.in/yaml.v2 v2.4.0

require github.com/beorn7/perks v0.0.0-20180321164747-3a771d992973

require github.com/bgentry/speakeasy v0.1.0

require github.com/boltdb/bolt v1.3.1

require github.com/cockroachdb/cmux v0.0.0-20170110192607-30d10be49292

require github.com/coreos/go-semver v0.2.0

require github.com/coreos/go-systemd v0.0.0-20160815185329-bfdc81d0d7e0

require github.com/coreos/pkg v0.0.0-20180928190104-399ea9e2e55f

require github.com/dustin/go-humanize v1.0.0

require github.com/ghodss/yaml v1.0.0

require github.com/gogo/protobuf v1.2.1

require github.com/golang/protobuf v1.3.2

require github.com/google/btree v0.0.0-20180813153112-4030bb1f1f0c

require github.com/grpc-ecosystem/grpc-gateway v1.1.0

require github.com/jonboulle/clockwork v0.1.0

require github.com/mattn/go-runewidth v0.0.2

require github.com/olekukonko/tablewriter v0.0.0-20170122224234-a0225b3f23b5

require github.com/prometheus/client_golang v0.8.0

require github.com/prometheus/client_model v0.0.0-20180712105110-5c3871d89910

require github.com/prometheus/common v0.0.0-20181113130724-41aa239b4cce

require github.com/prometheus/procfs v0.0.0-20181005140218-185b4288413d

require github.com/spf13/cobra v0.0.3

require github.com/spf13/pflag v1.0.1

require github.com/ugorji/go v0.0.0-20170107133203-ded73eae5db7

require github.com/urfave/cli v1.20.0

require github.com/xiang90/probing v0.0.0-20160813154853-07dd2e8dfe18

require golang.org/x/crypto v0.0.0-20210921155107-089bfa567519

require golang.org/x/net v0.0.0-20220722155237-a158d28d115b

require golang.org/x/text v0.3.8

require google.golang.org/grpc v1.0.0

require gopkg.in/yaml.v2 v2.4.0

require (
	github.com/coreos/etcd v3.0.17+incompatible // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/matttproud/golang_protobuf_extensions v1.0.4 // indirect
	golang.org/x/sys v0.0.0-20220722155257-8c9f86f7a55f // indirect
)
