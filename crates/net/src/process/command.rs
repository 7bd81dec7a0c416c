//! What is to be started, and starting it.
//!
//! It holds a [`std::process::Command`], which knows what to do between fork and exec. What `std` does not
//! tell of it is noted beside: which of the three standard streams were set, because what is not set is
//! something else in `output` than in `spawn`.

#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{CommandArgs, CommandEnvs, ExitStatus, Output, Stdio};

use trefoil_runtime::thread;

use super::child::{Child, WhenDropped};
use super::orphans;

/// How to start a child process, as [`std::process::Command`].
///
/// What `std` has in `CommandExt` for Unix are methods here. Missing is `groups`, which `std` does not have
/// for its users yet: groups have to be set before the user, which only it could do.
///
/// *Starting* it is done by [`thread::blocking`](trefoil_runtime::thread::blocking): the caller is parked on
/// every model but the kernel one. That is no cancellation point, so no child is lost. On green and hybrid
/// the OS thread that starts it is one of a pool, which ends some time: do not ask for a signal at the
/// parent's death (`PR_SET_PDEATHSIG`) there, for that is the death of this OS thread. On the kernel model
/// it is the calling thread.
///
/// ```
/// use trefoil_net::process::Command;
///
/// let output = Command::new("echo").arg("hello").output()?;
/// assert!(output.status.success());
/// assert_eq!(output.stdout, b"hello\n");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Command {
    pub(super) inner: std::process::Command,
    kill_on_drop: bool,
    /// Which of the three streams were set.
    set: Streams,
}

#[derive(Clone, Copy, Default)]
struct Streams {
    stdin: bool,
    stdout: bool,
    stderr: bool,
}

impl Command {
    /// A command that starts the program, found by `PATH`, without arguments, with the environment and the
    /// directory of this process, and with its standard streams for [`spawn`](Command::spawn) and
    /// [`status`](Command::status). For [`output`](Command::output) the streams are pipes, and there is no
    /// input. See [`std::process::Command::new`].
    ///
    /// ```
    /// # use trefoil_net::process::Command;
    /// assert!(Command::new("true").status()?.success());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn new<S: AsRef<OsStr>>(program: S) -> Command {
        std::process::Command::new(program).into()
    }

    /// Adds an argument.
    ///
    /// ```
    /// # use trefoil_net::process::Command;
    /// assert!(Command::new("test").arg("-d").arg("/").status()?.success());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn arg<S: AsRef<OsStr>>(&mut self, arg: S) -> &mut Command {
        self.inner.arg(arg);
        self
    }

    /// Adds arguments.
    ///
    /// ```
    /// # use trefoil_net::process::Command;
    /// assert!(Command::new("test").args(["-d", "/"]).status()?.success());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn args<I, S>(&mut self, args: I) -> &mut Command
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        self.inner.args(args);
        self
    }

    /// Sets a variable of the environment.
    ///
    /// ```
    /// # use trefoil_net::process::Command;
    /// let output = Command::new("sh").args(["-c", "echo $COLOUR"]).env("COLOUR", "green").output()?;
    /// assert_eq!(output.stdout, b"green\n");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn env<K, V>(&mut self, key: K, value: V) -> &mut Command
    where
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        self.inner.env(key, value);
        self
    }

    /// Sets variables of the environment.
    ///
    /// ```
    /// # use trefoil_net::process::Command;
    /// let colours = [("ONE", "red"), ("TWO", "blue")];
    /// let output = Command::new("sh").args(["-c", "echo $ONE $TWO"]).envs(colours).output()?;
    /// assert_eq!(output.stdout, b"red blue\n");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn envs<I, K, V>(&mut self, variables: I) -> &mut Command
    where
        I: IntoIterator<Item = (K, V)>,
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        self.inner.envs(variables);
        self
    }

    /// Takes a variable out of the environment.
    ///
    /// ```
    /// # use trefoil_net::process::Command;
    /// let output = Command::new("sh").args(["-c", "echo \"<$HOME>\""]).env_remove("HOME").output()?;
    /// assert_eq!(output.stdout, b"<>\n");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn env_remove<K: AsRef<OsStr>>(&mut self, key: K) -> &mut Command {
        self.inner.env_remove(key);
        self
    }

    /// Empties the environment.
    ///
    /// ```
    /// # use trefoil_net::process::Command;
    /// let output = Command::new("/usr/bin/env").env_clear().env("ONLY", "this").output()?;
    /// assert_eq!(output.stdout, b"ONLY=this\n");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn env_clear(&mut self) -> &mut Command {
        self.inner.env_clear();
        self
    }

    /// Sets the directory in which the program starts.
    ///
    /// ```
    /// # use trefoil_net::process::Command;
    /// assert_eq!(Command::new("pwd").current_dir("/").output()?.stdout, b"/\n");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn current_dir<P: AsRef<Path>>(&mut self, directory: P) -> &mut Command {
        self.inner.current_dir(directory);
        self
    }

    /// Sets the standard input.
    ///
    /// ```
    /// # use trefoil_net::process::Command;
    /// use trefoil_net::process::Stdio;
    ///
    /// assert!(Command::new("cat").stdin(Stdio::null()).status()?.success());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn stdin<T: Into<Stdio>>(&mut self, stdin: T) -> &mut Command {
        self.inner.stdin(stdin);
        self.set.stdin = true;
        self
    }

    /// Sets the standard output.
    ///
    /// ```
    /// # use trefoil_net::process::Command;
    /// use trefoil_net::process::Stdio;
    ///
    /// // One child's output is the other's input.
    /// let mut says = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn()?;
    /// let counts = Command::new("wc").arg("-c").stdin(says.stdout.take().unwrap()).output()?;
    /// assert_eq!(counts.stdout, b"6\n");
    /// says.wait()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn stdout<T: Into<Stdio>>(&mut self, stdout: T) -> &mut Command {
        self.inner.stdout(stdout);
        self.set.stdout = true;
        self
    }

    /// Sets the standard error.
    ///
    /// ```
    /// # use trefoil_net::process::Command;
    /// use trefoil_net::process::Stdio;
    ///
    /// assert!(!Command::new("cat").arg("/nowhere").stderr(Stdio::null()).status()?.success());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn stderr<T: Into<Stdio>>(&mut self, stderr: T) -> &mut Command {
        self.inner.stderr(stderr);
        self.set.stderr = true;
        self
    }

    /// Whether a child is killed when its [`Child`] is dropped. It is not, if this is not called. What it
    /// started itself runs on. It does not stay a zombie: see [the module](crate::process#zombies).
    ///
    /// ```
    /// # use trefoil_net::process::Command;
    /// let child = Command::new("sleep").arg("3600").kill_on_drop(true).spawn()?;
    /// let handle = child.handle();
    /// drop(child);
    /// assert!(!handle.wait()?.success());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn kill_on_drop(&mut self, kill: bool) -> &mut Command {
        self.kill_on_drop = kill;
        self
    }

    /// Sets the user of the child. See [`std::os::unix::process::CommandExt::uid`].
    ///
    /// ```no_run
    /// # use trefoil_net::process::Command;
    /// Command::new("id").uid(1000).gid(1000).status()?; // root may
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn uid(&mut self, id: u32) -> &mut Command {
        self.inner.uid(id);
        self
    }

    /// Sets the group of the child. See [`std::os::unix::process::CommandExt::gid`].
    ///
    /// ```no_run
    /// # use trefoil_net::process::Command;
    /// Command::new("id").uid(1000).gid(1000).status()?; // root may
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn gid(&mut self, id: u32) -> &mut Command {
        self.inner.gid(id);
        self
    }

    /// Sets what the program sees as its own name.
    ///
    /// ```
    /// # use trefoil_net::process::Command;
    /// let output = Command::new("sh").arg0("shell").args(["-c", "echo $0"]).output()?;
    /// assert_eq!(output.stdout, b"shell\n");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn arg0<S: AsRef<OsStr>>(&mut self, name: S) -> &mut Command {
        self.inner.arg0(name);
        self
    }

    /// Puts the child into a process group; 0: into a new one, so that Ctrl-C at the terminal does not reach
    /// it.
    ///
    /// ```
    /// # use trefoil_net::process::Command;
    /// assert!(Command::new("true").process_group(0).status()?.success());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn process_group(&mut self, group: i32) -> &mut Command {
        self.inner.process_group(group);
        self
    }

    /// Makes this process the program: it comes back only if it fails. Nothing is unwound, and no thread is
    /// waited for. It blocks the OS thread till then. See [`std::os::unix::process::CommandExt::exec`].
    ///
    /// ```
    /// # use trefoil_net::process::Command;
    /// let refused = Command::new("/no/such/program").exec();
    /// assert_eq!(refused.kind(), std::io::ErrorKind::NotFound);
    /// ```
    pub fn exec(&mut self) -> io::Error {
        self.inner.exec()
    }

    /// Starts it. The calling thread is parked meanwhile; no cancellation point.
    ///
    /// # Errors
    ///
    /// What starting it says: `NotFound` and `PermissionDenied` are about the program or its directory,
    /// `EMFILE` about the pipes, `EAGAIN` about the number of processes. There is no child then.
    ///
    /// # Panics
    ///
    /// Inside [`no_suspend`](trefoil_runtime::thread::no_suspend).
    ///
    /// ```
    /// # use trefoil_net::process::Command;
    /// let mut child = Command::new("true").spawn()?;
    /// assert!(child.wait()?.success());
    ///
    /// let refused = Command::new("/no/such/program").spawn().unwrap_err();
    /// assert_eq!(refused.kind(), std::io::ErrorKind::NotFound);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn spawn(&mut self) -> io::Result<Child> {
        self.start(WhenDropped::Leave)
    }

    /// Starts it, and waits for its end. That is a cancellation point: the child runs on then, unless it is
    /// [killed](Command::kill_on_drop), and does not become a zombie.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Command::spawn) and [`Child::wait`].
    ///
    /// ```
    /// # use trefoil_net::process::Command;
    /// assert_eq!(Command::new("sh").args(["-c", "exit 3"]).status()?.code(), Some(3));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn status(&mut self) -> io::Result<ExitStatus> {
        self.start(WhenDropped::Adopt)?.wait()
    }

    /// Starts it, reads all that it writes, and waits for its end. A stream that was not set is a pipe here,
    /// and the input empty. A cancellation point: the child runs on then, unless it is
    /// [killed](Command::kill_on_drop), finds its pipes closed, and does not become a zombie. What it has
    /// written is lost; to keep that, and the child, use [`spawn`](Command::spawn) and
    /// [`Child::collect_output`].
    ///
    /// # Errors
    ///
    /// As [`spawn`](Command::spawn) and [`Child::wait_with_output`].
    ///
    /// ```
    /// # use trefoil_net::process::Command;
    /// use std::time::Duration;
    /// use trefoil_runtime::time::{Elapsed, timeout};
    ///
    /// let mut command = Command::new("sleep");
    /// command.arg("3600").kill_on_drop(true);
    /// let late = timeout(Duration::from_millis(5), || command.output());
    /// assert!(matches!(late, Err(Elapsed)));
    /// ```
    #[track_caller]
    pub fn output(&mut self) -> io::Result<Output> {
        self.default_streams(Stdio::null, Stdio::piped);
        let child = self.start(WhenDropped::Adopt);
        // As if they had not been set, for `spawn`.
        self.default_streams(Stdio::inherit, Stdio::inherit);
        child?.wait_with_output()
    }

    /// Sets the streams that the program has not set.
    fn default_streams(&mut self, input: fn() -> Stdio, output: fn() -> Stdio) {
        if !self.set.stdin {
            self.inner.stdin(input());
        }
        if !self.set.stdout {
            self.inner.stdout(output());
        }
        if !self.set.stderr {
            self.inner.stderr(output());
        }
    }

    #[track_caller]
    fn start(&mut self, when_dropped: WhenDropped) -> io::Result<Child> {
        orphans::ask();
        let when_dropped = if self.kill_on_drop {
            WhenDropped::Kill
        } else {
            when_dropped
        };
        let inner = &mut self.inner;
        let child = thread::blocking(|| inner.spawn())?;
        Child::new(child, when_dropped)
    }

    /// The program.
    ///
    /// ```
    /// # use trefoil_net::process::Command;
    /// assert_eq!(Command::new("echo").get_program(), "echo");
    /// ```
    #[must_use]
    pub fn get_program(&self) -> &OsStr {
        self.inner.get_program()
    }

    /// The arguments, without the program's name.
    ///
    /// ```
    /// # use trefoil_net::process::Command;
    /// assert!(Command::new("echo").args(["a", "b"]).get_args().eq(["a", "b"]));
    /// ```
    pub fn get_args(&self) -> CommandArgs<'_> {
        self.inner.get_args()
    }

    /// What was set or removed of the environment.
    ///
    /// ```
    /// # use trefoil_net::process::Command;
    /// let mut command = Command::new("env");
    /// command.env_remove("HOME");
    /// assert!(command.get_envs().eq([("HOME".as_ref(), None)]));
    /// ```
    pub fn get_envs(&self) -> CommandEnvs<'_> {
        self.inner.get_envs()
    }

    /// The directory in which it starts; `None`: that of this process.
    ///
    /// ```
    /// # use trefoil_net::process::Command;
    /// assert_eq!(Command::new("pwd").get_current_dir(), None);
    /// ```
    #[must_use]
    pub fn get_current_dir(&self) -> Option<&Path> {
        self.inner.get_current_dir()
    }
}

impl From<std::process::Command> for Command {
    /// A command of `std`. Standard streams that were set there count as not set in
    /// [`output`](Command::output).
    fn from(inner: std::process::Command) -> Command {
        Command {
            inner,
            kill_on_drop: false,
            set: Streams::default(),
        }
    }
}

impl fmt::Debug for Command {
    /// As `std`'s: the command line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
