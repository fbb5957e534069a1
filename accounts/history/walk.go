package history

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
)

// The pages of bbolt's file, version 2.
const (
	pageHeader = 16 // id, flags, count, overflow
	element    = 16 // of a branch or a leaf page
	metaSize   = 64
	magic      = 0xED0CDAED
	version    = 2

	branchPage   = 0x01
	leafPage     = 0x02
	freelistPage = 0x10
	bucketLeaf   = 0x01

	manyFree = 0xFFFF // the count of a freelist whose length stands in front of it
)

var native = binary.NativeEndian // as bbolt writes

// walker goes through a file's pages.
type walker struct {
	file     []byte
	pageSize uint64
	pages    uint64 // below this id
	seen     []bool

	// What is left of the elements and of the bytes in records that a file of this
	// size can have: where they lie over one another, there is no end to them.
	elements, bytes uint64
}

// nesting is how many records may have the same byte: a bucket that lies in another's
// record is one.
const nesting = 4

// walk reports whether a file can be given to bbolt, which believes what it reads: a
// damaged tree may lead it in circles, or far beyond the end. Its errors are
// ErrDamaged. What stands in the records is for who decodes them.
func walk(file []byte) error {
	w, root, free, ok := openWalker(file)
	if !ok {
		return fmt.Errorf("%w: it has no page to begin with", ErrDamaged)
	}
	if w.pages*w.pageSize > uint64(len(file)) {
		return fmt.Errorf("%w: it ends too early", ErrDamaged)
	}
	if !w.tree(root) || !w.freelist(free) {
		return fmt.Errorf("%w: its pages do not belong together", ErrDamaged)
	}
	return nil
}

// openWalker reads the newer of the two metas that hold.
func openWalker(file []byte) (w *walker, root, free uint64, ok bool) {
	size := pageSize(file)
	var newest uint64
	for _, at := range []uint64{0, size} {
		m, sound := meta(file, at)
		if !sound || uint64(native.Uint32(m[8:])) != size {
			continue
		}
		if txid := native.Uint64(m[48:]); !ok || txid > newest {
			newest, ok = txid, true
			root, free = native.Uint64(m[16:]), native.Uint64(m[32:])
			w = &walker{
				file: file, pageSize: size, pages: native.Uint64(m[40:]),
				elements: uint64(len(file)) / element, bytes: nesting * uint64(len(file)),
			}
		}
	}
	if !ok || w.pages < 3 || w.pages > fileLimit/w.pageSize {
		return nil, 0, 0, false
	}
	w.seen = make([]bool, w.pages)
	w.seen[0], w.seen[1] = true, true // the metas
	return w, root, free, true
}

// pageSize is what the first meta says or, if that does not hold, the one that the
// second is found by; 0: neither holds.
func pageSize(file []byte) uint64 {
	const least, most = 1 << 10, 1 << 16 // of all systems
	if m, ok := meta(file, 0); ok {
		if size := uint64(native.Uint32(m[8:])); size >= least && size <= most {
			return size
		}
	}
	for size := uint64(least); size <= most; size <<= 1 {
		if m, ok := meta(file, size); ok && uint64(native.Uint32(m[8:])) == size {
			return size
		}
	}
	return 0
}

// meta returns the meta in the page that begins at an offset, if it holds.
func meta(file []byte, at uint64) ([]byte, bool) {
	if at+pageHeader+metaSize > uint64(len(file)) {
		return nil, false
	}
	m := file[at+pageHeader:][:metaSize]
	sum := fnv.New64a()
	_, _ = sum.Write(m[:metaSize-8]) // it never fails
	return m, native.Uint32(m) == magic && native.Uint32(m[4:]) == version && native.Uint64(m[metaSize-8:]) == sum.Sum64()
}

// page returns a page with what overflows it, once: none belongs to two.
func (w *walker) page(id uint64) ([]byte, bool) {
	if id < 2 || id >= w.pages {
		return nil, false
	}
	at := id * w.pageSize
	end := id + uint64(native.Uint32(w.file[at+12:]))
	if native.Uint64(w.file[at:]) != id || end >= w.pages {
		return nil, false
	}
	for i := id; i <= end; i++ {
		if w.seen[i] {
			return nil, false
		}
		w.seen[i] = true
	}
	return w.file[at : (end+1)*w.pageSize], true
}

// tree follows a bucket from the page that it begins with.
func (w *walker) tree(id uint64) bool {
	page, ok := w.page(id)
	if !ok {
		return false
	}
	flags, count := native.Uint16(page[8:]), uint64(native.Uint16(page[10:]))
	if flags == leafPage {
		return w.leaf(page)
	}
	if flags != branchPage || count == 0 || pageHeader+count*element > uint64(len(page)) || !spend(&w.elements, count) {
		return false
	}
	for i := range count {
		at := pageHeader + i*element
		pos, key, child := native.Uint32(page[at:]), native.Uint32(page[at+4:]), native.Uint64(page[at+8:])
		if at+uint64(pos)+uint64(key) > uint64(len(page)) || !w.tree(child) {
			return false
		}
	}
	return true
}

// leaf looks at a page of records, and follows the buckets among them.
func (w *walker) leaf(page []byte) bool {
	if len(page) < pageHeader {
		return false
	}
	count := uint64(native.Uint16(page[10:]))
	if pageHeader+count*element > uint64(len(page)) || !spend(&w.elements, count) {
		return false
	}
	for i := range count {
		at := pageHeader + i*element
		flags, pos := native.Uint32(page[at:]), uint64(native.Uint32(page[at+4:]))
		key, value := uint64(native.Uint32(page[at+8:])), uint64(native.Uint32(page[at+12:]))
		if at+pos+key+value > uint64(len(page)) || !spend(&w.bytes, key+value) {
			return false
		}
		if flags&bucketLeaf != 0 && !w.bucket(page[at+pos+key:][:value]) {
			return false
		}
	}
	return true
}

// spend takes n of what is left, if that is enough.
func spend(left *uint64, n uint64) bool {
	if n > *left {
		return false
	}
	*left -= n
	return true
}

// bucket follows a bucket: it lies in pages of its own or, if it is small, here.
func (w *walker) bucket(value []byte) bool {
	const header = 16 // root, sequence
	if len(value) < header {
		return false
	}
	if root := native.Uint64(value); root != 0 {
		return w.tree(root)
	}
	inline := value[header:]
	return len(inline) >= pageHeader && native.Uint16(inline[8:]) == leafPage && w.leaf(inline)
}

// freelist looks at the pages that may be written to: none of them is in use.
func (w *walker) freelist(id uint64) bool {
	page, ok := w.page(id)
	if !ok || native.Uint16(page[8:]) != freelistPage {
		return false
	}
	count, at := uint64(native.Uint16(page[10:])), uint64(pageHeader)
	if count == manyFree {
		count, at = native.Uint64(page[at:]), at+8
	}
	if count > (uint64(len(page))-at)/8 {
		return false
	}
	for i := range count {
		free := native.Uint64(page[at+i*8:])
		if free < 2 || free >= w.pages || w.seen[free] {
			return false
		}
		w.seen[free] = true
	}
	return true
}
