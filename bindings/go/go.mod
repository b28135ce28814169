module github.com/dream-api/dream-api-c/bindings/go

go 1.19
