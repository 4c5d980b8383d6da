// Package rerank builds the SQLite extension rerank into the program: semantic_index, embed(),
// rerank(). It works with any driver that has SQLite's C library in the process, as mattn's
// go-sqlite3 has:
//
//	rerank.Auto()
//	db, err := sql.Open("sqlite3", "notes.db")
package rerank

/*
#cgo CFLAGS: -O2 -w
#cgo LDFLAGS: -lm
#cgo linux LDFLAGS: -lpthread -ldl -Wl,--unresolved-symbols=ignore-in-object-files
#cgo darwin LDFLAGS: -Wl,-undefined,dynamic_lookup
#include "sqlite3.h"
#include "rerank.h"

static void (*const rerank_entry)(void) = (void (*)(void))sqlite3_rerank_auto_init;
static int rerank_auto(void) { return sqlite3_auto_extension(rerank_entry); }
static int rerank_cancel(void) { return sqlite3_cancel_auto_extension(rerank_entry); }
*/
import "C"

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Auto gives the extension to every connection that is opened from now on. Where it cannot start, as
// with a setting in the environment that it does not know, the connection opens, and the functions
// of the extension answer why.
func Auto() error {
	if code := C.rerank_auto(); code != 0 {
		return fmt.Errorf("rerank: sqlite3_auto_extension: error %d", int(code))
	}
	return nil
}

// Cancel ends what Auto began; open connections keep the extension.
func Cancel() {
	C.rerank_cancel()
}

// SerializeFloat32 is a vector as the BLOB that SQL takes: float32, little-endian.
func SerializeFloat32(vector []float32) []byte {
	blob := make([]byte, 0, 4*len(vector))
	for _, number := range vector {
		blob = binary.LittleEndian.AppendUint32(blob, math.Float32bits(number))
	}
	return blob
}
