module github.com/sqlite-rerank/sqlite-rerank-go

go 1.21
