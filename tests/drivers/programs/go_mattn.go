// mattn's go-sqlite3: database/sql pools its connections, each of which loads the library.
package main

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/mattn/go-sqlite3"
)

var ctx = context.Background()

type asker interface {
	QueryContext(ctx context.Context, sql string, values ...any) (*sql.Rows, error)
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// ask gives the rows, each as one line.
func ask(db asker, sql string, values ...any) (lines []string, err error) {
	rows, err := db.QueryContext(ctx, sql, values...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	must(err)
	cells, places := make([]string, len(names)), make([]any, len(names))
	for i := range cells {
		places[i] = &cells[i]
	}
	for rows.Next() {
		must(rows.Scan(places...))
		lines = append(lines, strings.Join(cells, "|"))
	}
	return lines, rows.Err()
}

func numberOf(value string) any {
	if whole, err := strconv.Atoi(value); err == nil {
		return whole
	}
	number, err := strconv.ParseFloat(value, 64)
	must(err)
	return number
}

func vectorOf(values string) []byte {
	var floats []float32
	for _, value := range strings.Fields(values) {
		number, err := strconv.ParseFloat(value, 32)
		must(err)
		floats = append(floats, float32(number))
	}
	VECTOR
	must(err)
	return vector
}

func floatsOf(blob []byte) string {
	var texts []string
	for ; len(blob) > 0; blob = blob[4:] {
		texts = append(texts, fmt.Sprint(math.Float32frombits(binary.LittleEndian.Uint32(blob))))
	}
	return strings.Join(texts, " ")
}

func stop(db *sql.DB, sql string) string {
	limited, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	_, err := db.ExecContext(limited, sql)
	if errors.Is(err, context.DeadlineExceeded) {
		return "stopped"
	}
	return fmt.Sprint(err)
}

func pool(db *sql.DB, size int, sql string) (lines []string) {
	for i := 0; i < size; i++ {
		connection, err := db.Conn(ctx)
		must(err)
		defer connection.Close()
		row, err := ask(connection, sql)
		must(err)
		lines = append(lines, row...)
	}
	return lines
}

func step(db *sql.DB, word string, values []string) (lines []string) {
	sql, err := values[len(values)-1], error(nil)
	switch word {
	case "run":
		_, err = db.Exec(sql)
	case "rows":
		lines, err = ask(db, sql)
	case "text":
		lines, err = ask(db, sql, values[0])
	case "number":
		lines, err = ask(db, sql, numberOf(values[0]))
	case "vector":
		var blob []byte
		err = db.QueryRow(sql, vectorOf(values[0])).Scan(&blob)
		lines = []string{floatsOf(blob)}
	case "fail":
		_, wrong := ask(db, sql)
		lines = []string{fmt.Sprint("error: ", wrong)}
	case "stop":
		lines = []string{stop(db, sql)}
	case "pool":
		size, _ := strconv.Atoi(values[0])
		lines = pool(db, size, sql)
	}
	must(err)
	return lines
}

func main() {
	SNIPPET
	must(err)
	fmt.Println(title)
	file, err := os.Open("steps.tsv")
	must(err)
	for lines := bufio.NewScanner(file); lines.Scan(); {
		words := strings.Split(lines.Text(), "\t")
		for _, text := range step(db, words[0], words[1:]) {
			fmt.Println(text)
		}
	}
}
