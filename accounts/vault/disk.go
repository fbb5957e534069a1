package vault

// maxFile bounds what is read from any file of the vault.
const maxFile = 4 << 20

// disk, folder and file are all that the vault asks of a file system. Faults,
// kills between two operations and writes that a power loss drops are played
// behind them in tests.
type disk interface {
	// open opens a folder, making it when asked to; it is 0700 and ours, or
	// an error.
	open(path string, create bool) (folder, error)
}

// folder is one open folder. Names are single path elements. Nothing follows a
// symbolic link, and nothing waits for the other end of a FIFO.
type folder interface {
	// read returns a whole regular file of ours, at most maxFile of it.
	read(name string) ([]byte, error)
	// create makes a file that must not exist, 0600.
	create(name string) (file, error)
	rename(from, to string) error
	link(from, to string) error
	// remove deletes a file or an empty folder.
	remove(name string) error
	names() ([]string, error)
	// sync makes durable what was created, renamed, linked and removed here.
	sync() error
	// sub opens a folder inside this one; a new one is durable.
	sub(name string, create bool) (folder, error)
	// tryLock takes the exclusive kernel lock of a file that is made when
	// missing and never written. The kernel frees it when the process dies.
	tryLock(name string) (release func(), ok bool, err error)
	path(name string) string
	close()
}

// file is a file that create made.
type file interface {
	// write replaces the beginning of the file.
	write(p []byte) error
	// reserve has the disk set n bytes aside, which read as zeros.
	reserve(n int64) error
	truncate(n int64) error
	// sync makes the content durable. After an error it must not be called
	// again: the kernel may have dropped what could not be written.
	sync() error
	close()
}
