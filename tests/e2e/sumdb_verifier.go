// sumdb_verifier checks a hub's audit log with what others wrote: golang.org/x/mod/sumdb/{note,tlog}, the Go checksum
// database's own, which C2SP's tiled logs come from. It knows nothing of the hub but what PROTOCOL.md says of leaves and
// receipts. Of tiles it differs from that database in their names alone: tile/L/N and tile/entries/N there, tile/8/L/N
// here.
//
// It reads questions from standard input, a line each, words divided by tabs, and answers each with a line: "sound" and
// what was looked at, or "wrong" and why.
//
//	tiles DIRECTORY KEY EVERY MINIMUM      checkpoint, entries, tiles of every level, the proof of every EVERYth record,
//	                                       of a log that was pruned up to MINIMUM (0: it was not)
//	consistency OLD NEW DIRECTORY KEY      that the checkpoint in the file NEW goes on from that in OLD
//	receipt FILE KEY
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	height = 8
	width  = 1 << height
)

// ---- Checkpoints ----------------------------------------------------------------------------------------------------

// openCheckpoint verifies a checkpoint and takes it apart. A log that was begun anew after a loss has a number behind
// its origin.
func openCheckpoint(text []byte, key string) (tlog.Tree, error) {
	var tree tlog.Tree
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return tree, err
	}
	opened, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return tree, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 {
		return tree, errors.New("a checkpoint has three lines")
	}
	if lines[0] != verifier.Name() && !strings.HasPrefix(lines[0], verifier.Name()+"/") {
		return tree, errors.New("the checkpoint is of another log")
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return tree, err
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return tree, err
}

func readCheckpoint(path, key string) (tlog.Tree, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return tlog.Tree{}, err
	}
	return openCheckpoint(text, key)
}

// ---- Files ----------------------------------------------------------------------------------------------------------

// files are the tiles of a directory, as the library asks for them.
type files struct {
	directory string
}

func (f files) Height() int { return height }

func (f files) SaveTiles([]tlog.Tile, [][]byte) {}

func (f files) path(tile tlog.Tile) string {
	path := strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", height))
	return filepath.Join(f.directory, "tile", strings.Replace(path, "data/", "entries/", 1))
}

// read is a tile's file, or the beginning of the full one's where a partial one has gone.
func (f files) read(tile tlog.Tile) ([]byte, error) {
	data, err := os.ReadFile(f.path(tile))
	if errors.Is(err, os.ErrNotExist) && tile.W < width {
		full := tile
		full.W = width
		return os.ReadFile(f.path(full))
	}
	return data, err
}

func (f files) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		data, err := f.read(tile)
		if err != nil {
			return nil, err
		}
		if len(data) == width*tlog.HashSize {
			data = data[:tile.W*tlog.HashSize]
		}
		all = append(all, data)
	}
	return all, nil
}

// entries are the records of a bundle.
func (f files) entries(bundle int64, n int) ([][]byte, error) {
	data, err := f.read(tlog.Tile{H: height, L: -1, N: bundle, W: n})
	if err != nil {
		return nil, err
	}
	var all [][]byte
	for len(data) > 0 && len(all) < width {
		if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) {
			return nil, fmt.Errorf("bundle %d is cut off", bundle)
		}
		size := 2 + int(binary.BigEndian.Uint16(data))
		all = append(all, data[2:size])
		data = data[size:]
	}
	if len(data) > 0 || (len(all) != n && len(all) != width) {
		return nil, fmt.Errorf("bundle %d has %d entries and %d bytes behind them, instead of %d entries", bundle, len(all),
			len(data), n)
	}
	return all[:n], nil
}

// ---- A whole log ----------------------------------------------------------------------------------------------------

type log struct {
	files
	tree     tlog.Tree
	minimum  int64
	tiles    tlog.HashReader // what it gives is proved to be in the tree
	computed []tlog.Hash     // from the entries alone, if all of them are there
}

func (l *log) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var all []tlog.Hash
	for _, index := range indexes {
		all = append(all, l.computed[index])
	}
	return all, nil
}

// widthOf is how many hashes (or, of level -1, entries) a tile has in the tree.
func (l *log) widthOf(level int, index int64) int {
	if level < 0 {
		level = 0
	}
	if n := l.tree.N>>(height*uint(level)) - index*width; n < width {
		return int(n)
	}
	return width
}

// checkTiles has the library authenticate every tile of a level that is not pruned.
func (l *log) checkTiles(level int) (int, error) {
	n := 0
	for index := l.minimum >> (height * uint(level+1)); l.widthOf(level, index) > 0; index++ {
		last := tlog.StoredHashIndex(level*height, index*width+int64(l.widthOf(level, index))-1)
		if _, err := l.tiles.ReadHashes([]int64{last}); err != nil {
			return n, fmt.Errorf("tile %d of level %d: %w", index, level, err)
		}
		n++
	}
	return n, nil
}

// checkBundle compares the entries of a bundle with the tile of their hashes.
func (l *log) checkBundle(bundle int64) error {
	entries, err := l.entries(bundle, l.widthOf(-1, bundle))
	if err != nil {
		return err
	}
	var indexes []int64
	for i := range entries {
		indexes = append(indexes, tlog.StoredHashIndex(0, bundle*width+int64(i)))
	}
	hashes, err := l.tiles.ReadHashes(indexes)
	if err != nil {
		return err
	}
	for i, entry := range entries {
		number := bundle*width + int64(i)
		if tlog.RecordHash(entry) != hashes[i] {
			return fmt.Errorf("record %d is not the one in the tree", number)
		}
		if l.minimum == 0 {
			more, err := tlog.StoredHashes(number, entry, l)
			if err != nil {
				return err
			}
			l.computed = append(l.computed, more...)
		}
	}
	return nil
}

func (l *log) checkRecords(every int64) (int, error) {
	n := 0
	for number := l.minimum; number < l.tree.N; number++ {
		if number%every != 0 && number > l.minimum+1 && number < l.tree.N-2 {
			continue
		}
		proof, err := tlog.ProveRecord(l.tree.N, number, l.tiles)
		if err != nil {
			return n, err
		}
		entries, err := l.entries(number/width, l.widthOf(-1, number/width))
		if err != nil {
			return n, err
		}
		if err := tlog.CheckRecord(proof, l.tree.N, l.tree.Hash, number, tlog.RecordHash(entries[number%width])); err != nil {
			return n, fmt.Errorf("record %d: %w", number, err)
		}
		n++
	}
	return n, nil
}

func checkLog(directory, key string, every, minimum int64) (string, error) {
	tree, err := readCheckpoint(filepath.Join(directory, "checkpoint"), key)
	if err != nil {
		return "", err
	}
	l := &log{files: files{directory}, tree: tree, minimum: minimum}
	l.tiles = tlog.TileHashReader(tree, l.files)
	tiles := 0
	for level := 0; tree.N>>(height*uint(level)) > 0; level++ {
		n, err := l.checkTiles(level)
		if err != nil {
			return "", err
		}
		tiles += n
	}
	for bundle := minimum / width; bundle*width < tree.N; bundle++ {
		if err := l.checkBundle(bundle); err != nil {
			return "", err
		}
	}
	if minimum == 0 {
		root, err := tlog.TreeHash(tree.N, l)
		if err != nil {
			return "", err
		}
		if root != tree.Hash {
			return "", errors.New("the entries have another root than the checkpoint")
		}
	}
	records, err := l.checkRecords(every)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("entries %d from %d tiles %d proofs %d", tree.N, minimum, tiles, records), nil
}

// ---- Consistency, receipts ------------------------------------------------------------------------------------------

func checkConsistency(oldPath, newPath, directory, key string) (string, error) {
	before, err := readCheckpoint(oldPath, key)
	if err != nil {
		return "", err
	}
	after, err := readCheckpoint(newPath, key)
	if err != nil {
		return "", err
	}
	proof, err := tlog.ProveTree(after.N, before.N, tlog.TileHashReader(after, files{directory}))
	if err != nil {
		return "", err
	}
	if err := tlog.CheckTree(proof, after.N, after.Hash, before.N, before.Hash); err != nil {
		return "", err
	}
	return fmt.Sprintf("from %d to %d", before.N, after.N), nil
}

// receipt is what PROTOCOL.md, section 17, says of it.
type receipt struct {
	Receipt, Proof                             string
	Entry, Salt, Content, PayloadSalt, Payload []byte
}

func join(parts ...[]byte) []byte {
	sum := sha256.Sum256(bytes.Join(parts, nil))
	return sum[:]
}

// placeOf is field 2 of an Entry, a number; only numbers and bytes come before it.
func placeOf(entry []byte) int64 {
	for len(entry) > 0 {
		tag, n := binary.Uvarint(entry)
		if n <= 0 || tag&7 != 0 {
			return 0
		}
		value, m := binary.Uvarint(entry[n:])
		if m <= 0 {
			return 0
		}
		if tag>>3 == 2 {
			return int64(value)
		}
		entry = entry[n+m:]
	}
	return 0
}

func parseProof(text string) (index int64, proof tlog.RecordProof, checkpoint []byte, err error) {
	head, rest, found := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return 0, nil, nil, errors.New("not a tlog-proof")
	}
	lines = lines[1:]
	if strings.HasPrefix(lines[0], "extra ") {
		lines = lines[1:]
	}
	if index, err = strconv.ParseInt(strings.TrimPrefix(lines[0], "index "), 10, 64); err != nil {
		return 0, nil, nil, err
	}
	for _, line := range lines[1:] {
		hash, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(hash) != tlog.HashSize {
			return 0, nil, nil, errors.New("a hash of the proof cannot be read")
		}
		proof = append(proof, *(*tlog.Hash)(hash))
	}
	return index, proof, []byte(rest), nil
}

func checkReceipt(path, key string) (string, error) {
	var r receipt
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return "", err
	}
	if r.Receipt != "carehub receipt 1" || len(r.Salt) != 32 || len(r.Content) != 32 {
		return "", errors.New("not a receipt")
	}
	if r.Payload != nil && (len(r.PayloadSalt) != 32 || !bytes.Equal(join(r.PayloadSalt, r.Payload), r.Content)) {
		return "", errors.New("the payload is not the entry's")
	}
	index, proof, checkpoint, err := parseProof(r.Proof)
	if err != nil {
		return "", err
	}
	tree, err := openCheckpoint(checkpoint, key)
	if err != nil {
		return "", err
	}
	length := make([]byte, 8)
	binary.LittleEndian.PutUint64(length, uint64(len(r.Entry)))
	leaf := tlog.RecordHash(join(r.Salt, length, r.Entry, r.Content))
	if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, leaf); err != nil {
		return "", err
	}
	if placeOf(r.Entry) != index+1 {
		return "", errors.New("the entry says that it is at another place")
	}
	return fmt.Sprintf("entry %d of %d", index+1, tree.N), nil
}

// ---- Questions ------------------------------------------------------------------------------------------------------

func answer(words []string) (string, error) {
	switch {
	case words[0] == "tiles" && len(words) == 5:
		every, err := strconv.ParseInt(words[3], 10, 64)
		if err != nil {
			return "", err
		}
		minimum, err := strconv.ParseInt(words[4], 10, 64)
		if err != nil {
			return "", err
		}
		return checkLog(words[1], words[2], every, minimum)
	case words[0] == "consistency" && len(words) == 5:
		return checkConsistency(words[1], words[2], words[3], words[4])
	case words[0] == "receipt" && len(words) == 3:
		return checkReceipt(words[1], words[2])
	}
	return "", errors.New("no such question")
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if said, err := answer(strings.Split(lines.Text(), "\t")); err != nil {
			fmt.Println("wrong", strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Println("sound", said)
		}
	}
}
