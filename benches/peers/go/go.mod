module trefoil-bench-go

go 1.25
