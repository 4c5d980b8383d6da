package main

import (
	"database/sql"
	"fmt"
	"log"
	"os"

	_ "github.com/mattn/go-sqlite3"
	rerank "github.com/sqlite-rerank/sqlite-rerank-go"
)

func read(name string) string {
	text, err := os.ReadFile(name)
	if err != nil {
		log.Fatal(err)
	}
	return string(text)
}

func main() {
	if err := rerank.Auto(); err != nil {
		log.Fatal(err)
	}
	db, err := sql.Open("sqlite3", "films.db")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	if _, err = db.Exec(read("flow.sql")); err != nil {
		log.Fatal(err)
	}
	var answer string
	if err = db.QueryRow(read("ask.sql"), "bats in the dark").Scan(&answer); err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer)
}
