package chromium

import (
	"os/exec"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// errNotAProgram is what the system says of a file that it cannot run.
var errNotAProgram error = windows.ERROR_BAD_EXE_FORMAT

// systemWiring is how browsers are talked to on this system: a program inherits
// no pipes but the three standard ones here (golang/go#21085).
func systemWiring(profile string) wiring { return &portWiring{profile: profile} }

func confine(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
}

// group is a program with what it started: a job, which ends with this process,
// however that ends. 0: there is none.
type group windows.Handle

func newGroup(cmd *exec.Cmd) group {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return 0
	}
	limit := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{
		BasicLimitInformation: windows.JOBOBJECT_BASIC_LIMIT_INFORMATION{LimitFlags: windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE},
	}
	_, _ = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&limit)), uint32(unsafe.Sizeof(limit))) //nolint:gosec // what the call wants
	process, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(cmd.Process.Pid)) //nolint:gosec // a process id
	if err == nil {
		err = windows.AssignProcessToJobObject(job, process)
		_ = windows.CloseHandle(process)
	}
	if err != nil {
		_ = windows.CloseHandle(job)
		_ = cmd.Process.Kill() // better none than one that could outlive us
		return 0
	}
	return group(job)
}

func (g group) kill() {
	if g != 0 {
		_ = windows.TerminateJobObject(windows.Handle(g), 1)
	}
}

// empty leaves what is left to kill: it has ended when its program had.
func (group) empty() bool { return true }

func (g group) free() {
	if g != 0 {
		_ = windows.CloseHandle(windows.Handle(g))
	}
}
