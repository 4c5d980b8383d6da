// dqlite_node FOLDER ADDRESS [ADDRESS OF A MEMBER]: a node of a dqlite cluster in whose SQLite the
// library is built in, as a Go program would have it.
//
// It takes a request a line on its input and answers each with a line, both JSON:
//
//	{"do": "exec" | "query", "sql": "...", "bind": [...]}   on the leader, wherever that is
//	{"do": "leader"}                                        the leader's address
//	{"do": "lead"}                                          this node becomes it
//	{"do": "dump", "into": FOLDER}                          this node's own copy of the database
//
// {"rows": [...]} or {"error": "..."} comes back. A BLOB is {"blob": its bytes in base64}. The input's
// end is the node's; so is its parent's.
package main

// #include <sqlite3.h>
// int sqlite3_rerank_auto_init(sqlite3 *db, char **message, const void *api);
// static int register_rerank(void)
// {
//     return sqlite3_auto_extension((void (*)(void))sqlite3_rerank_auto_init);
// }
import "C"

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/canonical/go-dqlite/app"
	"github.com/canonical/go-dqlite/client"
)

const (
	database = "cluster"
	patience = 60 * time.Second // of one request
)

type request struct {
	Do, SQL, Into string
	Bind          []any
}

type node struct {
	app *app.App
	db  *sql.DB
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// bound takes integers and BLOBs out of the form that they have in JSON.
func bound(values []any) (_ []any, err error) {
	for i, value := range values {
		switch value := value.(type) {
		case json.Number:
			values[i], err = value.Int64()
		case map[string]any:
			text, _ := value["blob"].(string)
			values[i], err = base64.StdEncoding.DecodeString(text)
		}
		if err != nil {
			return nil, err
		}
	}
	return values, nil
}

// row reads one row, with its BLOBs in the form that JSON has for them.
func row(rows *sql.Rows, n int) ([]any, error) {
	values, places := make([]any, n), make([]any, n)
	for i := range values {
		places[i] = &values[i]
	}
	if err := rows.Scan(places...); err != nil {
		return nil, err
	}
	for i, value := range values {
		if blob, is := value.([]byte); is {
			values[i] = map[string]string{"blob": base64.StdEncoding.EncodeToString(blob)}
		}
	}
	return values, nil
}

func (n *node) query(ctx context.Context, text string, bind []any) ([][]any, error) {
	rows, err := n.db.QueryContext(ctx, text, bind...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	found := [][]any{}
	for rows.Next() {
		values, err := row(rows, len(names))
		if err != nil {
			return nil, err
		}
		found = append(found, values)
	}
	return found, rows.Err()
}

func (n *node) leader(ctx context.Context) (*client.Client, error) {
	return n.app.Leader(ctx)
}

func (n *node) leaderAddress(ctx context.Context) ([][]any, error) {
	leader, err := n.leader(ctx)
	if err != nil {
		return nil, err
	}
	defer leader.Close()
	info, err := leader.Leader(ctx)
	if err != nil || info == nil {
		return nil, fmt.Errorf("no leader: %v", err)
	}
	return [][]any{{info.Address}}, nil
}

func (n *node) lead(ctx context.Context) ([][]any, error) {
	leader, err := n.leader(ctx)
	if err != nil {
		return nil, err
	}
	defer leader.Close()
	return nil, leader.Transfer(ctx, n.app.ID())
}

// dump writes this node's copy, whichever node leads.
func (n *node) dump(ctx context.Context, into string) ([][]any, error) {
	own, err := client.New(ctx, n.app.Address())
	if err != nil {
		return nil, err
	}
	defer own.Close()
	files, err := own.Dump(ctx, database)
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		path := filepath.Join(into, filepath.Base(file.Name))
		if err := os.WriteFile(path, file.Data, 0o600); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (n *node) answer(asked request) ([][]any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	bind, err := bound(asked.Bind)
	if err != nil {
		return nil, err
	}
	switch asked.Do {
	case "exec":
		_, err := n.db.ExecContext(ctx, asked.SQL, bind...)
		return nil, err
	case "query":
		return n.query(ctx, asked.SQL, bind)
	case "leader":
		return n.leaderAddress(ctx)
	case "lead":
		return n.lead(ctx)
	case "dump":
		return n.dump(ctx, asked.Into)
	}
	return nil, fmt.Errorf("no such request: %q", asked.Do)
}

func start(arguments []string) *node {
	options := []app.Option{app.WithAddress(arguments[1])}
	if len(arguments) > 2 {
		options = append(options, app.WithCluster(arguments[2:]))
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	dqlite, err := app.New(arguments[0], options...)
	check(err)
	check(dqlite.Ready(ctx))
	db, err := dqlite.Open(ctx, database)
	check(err)
	return &node{dqlite, db}
}

func main() {
	// Not earlier: it starts SQLite up, which the package of dqlite configures before main.
	if code := C.register_rerank(); code != C.SQLITE_OK {
		check(fmt.Errorf("sqlite3_auto_extension: %d", code))
	}
	n := start(os.Args[1:])
	fmt.Println(`{"rows": []}`)
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(nil, 64<<20)
	for input.Scan() {
		var asked request
		decoder := json.NewDecoder(strings.NewReader(input.Text()))
		decoder.UseNumber()
		reply := map[string]any{}
		err := decoder.Decode(&asked)
		if err == nil {
			reply["rows"], err = n.answer(asked)
		}
		if err != nil {
			reply = map[string]any{"error": err.Error()}
		}
		line, err := json.Marshal(reply)
		check(err)
		fmt.Println(string(line))
	}
	n.app.Close()
}
