package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
)

// memDisk is a disk in memory that knows what would survive: what was synced,
// and what was merely written. Its hook is called before each operation that
// changes something and may fail it, or kill the process by panicking.
type memDisk struct {
	mu    sync.Mutex
	dirs  map[string]*memDir
	locks map[string]bool
	hook  func(op string) error
	blind error // what reading yields, when something
	trace []string
}

// killed is what the hook panics with to end the process there and then.
type killed struct{}

// errHalf fails a write after half of it.
var errHalf = errors.New("no space left on device")

type memDir struct {
	live, durable map[string]*memNode
	pending       []dirOp // since the last sync of the folder
}

// memNode is a file; its names are in the folder.
type memNode struct{ live, durable []byte }

// dirOp is one change of a folder's names. A journal applies it whole or not.
type dirOp struct {
	kind, from, to string
	node           *memNode
}

func (o dirOp) apply(names map[string]*memNode) {
	switch o.kind {
	case "create", "link":
		names[o.to] = o.node
	case "remove":
		if names[o.from] == o.node {
			delete(names, o.from)
		}
	case "rename":
		// Also when an earlier operation did not make it: the journal knows
		// the file, not only its old name.
		names[o.to] = o.node
		if names[o.from] == o.node {
			delete(names, o.from)
		}
	}
}

func newMemDisk() *memDisk {
	return &memDisk{dirs: make(map[string]*memDir), locks: make(map[string]bool)}
}

// do runs one operation that changes something.
func (d *memDisk) do(op string, change func() error) error {
	d.mu.Lock()
	hook := d.hook
	d.trace = append(d.trace, op)
	d.mu.Unlock()
	if hook != nil {
		if err := hook(op); err != nil && !errors.Is(err, errHalf) {
			return err
		} else if err != nil {
			d.mu.Lock()
			defer d.mu.Unlock()
			_ = change()
			return err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return change()
}

func (d *memDisk) setHook(hook func(op string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hook = hook
}

// afterKill is the disk as the next process finds it: all that was written is
// there, and no lock.
func (d *memDisk) afterKill() *memDisk {
	return d.image(func(ops int) []bool {
		all := make([]bool, ops)
		for i := range all {
			all[i] = true
		}
		return all
	}, func(n *memNode) []byte { return n.live })
}

// afterPowerLoss is a disk as it may be found after the power failed: any
// selection of the unsynced changes of names, any mixture of synced and
// unsynced content. Without a source of randomness nothing unsynced survives.
func (d *memDisk) afterPowerLoss(rnd *rand.Rand) *memDisk {
	if rnd == nil {
		return d.image(func(ops int) []bool { return make([]bool, ops) }, func(n *memNode) []byte { return n.durable })
	}
	return d.image(func(ops int) []bool {
		some := make([]bool, ops)
		for i := range some {
			some[i] = rnd.IntN(2) == 0
		}
		return some
	}, func(n *memNode) []byte {
		switch rnd.IntN(3) {
		case 0:
			return n.durable
		case 1:
			return n.live
		}
		torn := slices.Clone(n.durable)
		if at := rnd.IntN(len(n.live) + 1); at > 0 {
			torn = append(torn[:0:0], n.live[:at]...)
			if at < len(n.durable) {
				torn = append(torn, n.durable[at:]...)
			}
		}
		return torn
	})
}

func (d *memDisk) image(keep func(ops int) []bool, content func(*memNode) []byte) *memDisk {
	d.mu.Lock()
	defer d.mu.Unlock()
	image := newMemDisk()
	nodes := make(map[*memNode]*memNode)
	for _, path := range slices.Sorted(maps.Keys(d.dirs)) { // in order: a seed is to give the same image again
		dir := d.dirs[path]
		names := maps.Clone(dir.durable)
		for i, kept := range keep(len(dir.pending)) {
			if kept {
				dir.pending[i].apply(names)
			}
		}
		copied := &memDir{live: make(map[string]*memNode), durable: make(map[string]*memNode)}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			node := names[name]
			if nodes[node] == nil {
				data := slices.Clone(content(node))
				nodes[node] = &memNode{live: data, durable: slices.Clone(data)}
			}
			copied.live[name], copied.durable[name] = nodes[node], nodes[node]
		}
		image.dirs[path] = copied
	}
	return image
}

func (d *memDisk) open(path string, create bool) (folder, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dirs[path] == nil {
		if !create {
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		}
		d.dirs[path] = &memDir{live: make(map[string]*memNode), durable: make(map[string]*memNode)}
	}
	return &memFolder{disk: d, at: path}, nil
}

type memFolder struct {
	disk *memDisk
	at   string
}

func (f *memFolder) dir() *memDir            { return f.disk.dirs[f.at] }
func (f *memFolder) path(name string) string { return filepath.Join(f.at, name) }
func (f *memFolder) close()                  {}

func (f *memFolder) missing(name string) error {
	return &fs.PathError{Op: "open", Path: f.path(name), Err: fs.ErrNotExist}
}

func (f *memFolder) read(name string) ([]byte, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.disk.blind != nil {
		return nil, f.disk.blind
	}
	node := f.dir().live[name]
	if node == nil {
		return nil, f.missing(name)
	}
	return slices.Clone(node.live), nil
}

func (f *memFolder) record(o dirOp) {
	o.apply(f.dir().live)
	f.dir().pending = append(f.dir().pending, o)
}

func (f *memFolder) create(name string) (file, error) {
	node := &memNode{}
	err := f.disk.do("create "+name, func() error {
		if f.dir().live[name] != nil {
			return &fs.PathError{Op: "create", Path: f.path(name), Err: fs.ErrExist}
		}
		f.record(dirOp{kind: "create", to: name, node: node})
		return nil
	})
	return &memFile{disk: f.disk, name: name, node: node}, err
}

func (f *memFolder) rename(from, to string) error {
	return f.disk.do(fmt.Sprintf("rename %s %s", from, to), func() error {
		node := f.dir().live[from]
		if node == nil {
			return f.missing(from)
		}
		f.record(dirOp{kind: "rename", from: from, to: to, node: node})
		return nil
	})
}

func (f *memFolder) link(from, to string) error {
	return f.disk.do(fmt.Sprintf("link %s %s", from, to), func() error {
		node := f.dir().live[from]
		if node == nil {
			return f.missing(from)
		}
		if f.dir().live[to] != nil {
			return &fs.PathError{Op: "link", Path: f.path(to), Err: fs.ErrExist}
		}
		f.record(dirOp{kind: "link", to: to, node: node})
		return nil
	})
}

func (f *memFolder) remove(name string) error {
	return f.disk.do("remove "+name, func() error {
		if _, isDir := f.disk.dirs[f.path(name)]; isDir {
			delete(f.disk.dirs, f.path(name))
			return nil
		}
		node := f.dir().live[name]
		if node == nil {
			return f.missing(name)
		}
		f.record(dirOp{kind: "remove", from: name, node: node})
		return nil
	})
}

func (f *memFolder) names() ([]string, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	names := slices.Collect(maps.Keys(f.dir().live))
	for path := range f.disk.dirs {
		if filepath.Dir(path) == f.at {
			names = append(names, filepath.Base(path))
		}
	}
	slices.Sort(names)
	return names, nil
}

func (f *memFolder) sync() error {
	return f.disk.do("sync folder "+f.at, func() error {
		dir := f.dir()
		dir.durable, dir.pending = maps.Clone(dir.live), nil
		return nil
	})
}

func (f *memFolder) sub(name string, create bool) (folder, error) {
	return f.disk.open(f.path(name), create)
}

// tryLock needs no node: a lock file holds nothing.
func (f *memFolder) tryLock(name string) (func(), bool, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	path := f.path(name)
	if f.disk.locks[path] {
		return nil, false, nil
	}
	f.disk.locks[path] = true
	return func() {
		f.disk.mu.Lock()
		defer f.disk.mu.Unlock()
		delete(f.disk.locks, path)
	}, true, nil
}

type memFile struct {
	disk *memDisk
	name string
	node *memNode
}

func (f *memFile) write(p []byte) error {
	err := f.disk.do("write "+f.name, func() error {
		half := len(p) / 2 // a failing write gets so far
		f.node.put(p[:half])
		return nil
	})
	if err != nil {
		return err
	}
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.node.put(p)
	return nil
}

func (n *memNode) put(p []byte) {
	if len(p) > len(n.live) {
		n.live = append(n.live, make([]byte, len(p)-len(n.live))...)
	}
	copy(n.live, p)
}

func (f *memFile) reserve(n int64) error {
	return f.disk.do("reserve "+f.name, func() error {
		f.node.live = make([]byte, n>>8) // enough for what tests write, and quick to copy
		return nil
	})
}

func (f *memFile) truncate(n int64) error {
	return f.disk.do("truncate "+f.name, func() error {
		f.node.live = f.node.live[:n]
		return nil
	})
}

func (f *memFile) sync() error {
	return f.disk.do("sync "+f.name, func() error {
		f.node.durable = slices.Clone(f.node.live)
		return nil
	})
}

func (f *memFile) close() {}
