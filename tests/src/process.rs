//! The real programs as processes: built once, started in a folder of their own, killed at the end.
//!
//! A [`Program`] belongs to a home folder and may die and start again in it as often as a scene wants. It
//! writes what it says to `<home>.log`; a test that fails shows the end of it. Programs stay in the test's
//! process group, so that Ctrl-C at the terminal reaches them too.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use protocol::node::chance::chance_bytes;
use protocol::node::rpc::{Connection, socket_in};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::patience::{self, until, until_within};

/// A clean end may take this long: it closes the store and says goodbye to its peers.
const CLEAN_END: Duration = Duration::from_secs(20);

/// How much of a log a failing test shows.
const LOG_TAIL: usize = 16 * 1024;

/// Where the programs lie after the build.
#[derive(Debug)]
pub struct Built {
    /// The bank.
    pub bank_node: PathBuf,
    /// A workstation's daemon.
    pub sterminad: PathBuf,
    /// Its command line.
    pub stermina: PathBuf,
    /// A shop.
    pub shop_node: PathBuf,
}

/// Builds the programs, once in a test run, in the profile of the caller.
///
/// # Panics
/// When they do not build: no scene can be played then.
pub fn built() -> &'static Built {
    static BUILT: OnceLock<Built> = OnceLock::new();
    BUILT.get_or_init(|| build().unwrap_or_else(|why| panic!("the programs do not build: {why}")))
}

fn build() -> io::Result<Built> {
    let exe = std::env::current_exe()?;
    let beside = exe.parent().unwrap_or(&exe);
    // `target/<profile>`: tests run from `deps` beneath it, programs from itself.
    let is_test = beside.ends_with("deps");
    let folder = if is_test { beside.parent().unwrap_or(beside) } else { beside };
    let profile = match folder.file_name().and_then(OsStr::to_str) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let target = folder.parent().ok_or_else(|| io::Error::other("the target folder has no parent"))?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let mut command = Command::new(cargo);
    // What cargo told this test about its package would make build scripts of others run again.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        let told = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_BIN_", "CARGO_PRIMARY_"];
        if name == "CARGO" || told.iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(&*name);
        }
    }
    let status = command
        .current_dir(root())
        .args(["build", "--quiet", "--bins", "--profile", profile])
        .args(if is_test { BESIDE_TESTS } else { BESIDE_PROGRAMS })
        .arg("--target-dir")
        .arg(target)
        .stdin(Stdio::null())
        .status()?;
    if !status.success() {
        return Err(io::Error::other(format!("cargo build ended with {status}")));
    }
    let at = |name: &str| folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    Ok(Built {
        bank_node: at("bank-node"),
        sterminad: at("sterminad"),
        stermina: at("stermina"),
        shop_node: at("shop-node"),
    })
}

/// Cargo unites the features of what it builds in one go, and those of the tests' dependencies only if a test is
/// among it. Asked like this it finds every dependency as `cargo test --workspace` has built it.
const BESIDE_TESTS: &[&str] = &["--workspace", "--test", "external"];

/// And like this as `cargo demo` has built it.
const BESIDE_PROGRAMS: &[&str] =
    &["--package", "tests", "--package", "bank-node", "--package", "daemon", "--package", "shop-node"];

/// The repository.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Where a program's network is.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Place {
    /// The machine's own network.
    #[default]
    Here,
    /// A network namespace of this name; starting there needs root.
    Namespace(String),
}

impl Place {
    /// A command that runs `program` at this place.
    pub fn command(&self, program: &Path) -> Command {
        match self {
            Place::Here => Command::new(program),
            Place::Namespace(name) => {
                // `ip` becomes the program, so its process id is the program's.
                let mut command = Command::new("ip");
                command.args(["netns", "exec", name]).arg(program);
                command
            }
        }
    }
}

/// How a program meets the network; written to its `config.toml`.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Where it runs.
    pub place: Place,
    /// Where it listens.
    pub listen: Vec<String>,
    /// Where it tells others that it listens; where it really does if nothing is said.
    pub external: Vec<String>,
    /// Whether it looks for others in the same network.
    pub mdns: bool,
}

impl Default for Setting {
    fn default() -> Self {
        let listen = vec!["/ip4/127.0.0.1/tcp/0".into()];
        Self { place: Place::Here, listen, external: Vec::new(), mdns: false }
    }
}

impl Setting {
    /// Loopback, on this port.
    pub fn on_port(port: u16) -> Self {
        Self { listen: vec![format!("/ip4/127.0.0.1/tcp/{port}")], ..Self::default() }
    }

    /// Writes `config.toml` into a home folder, with further lines as they are.
    pub fn write(&self, home: &Path, more: &str) -> io::Result<()> {
        fs::create_dir_all(home)?;
        let (listen, external) = (json!(self.listen), json!(self.external));
        let network = format!("[network]\nlisten = {listen}\nexternal = {external}\nmdns = {}\n", self.mdns);
        let text = format!("{network}\n[rpc]\nhttp = \"127.0.0.1:0\"\n\n{more}");
        fs::write(home.join("config.toml"), text)
    }
}

/// A port that is free now and that no outgoing connection takes later, so that a program which was stopped
/// finds it free again.
///
/// # Panics
/// On a machine where a hundred tries find none.
pub fn free_port() -> u16 {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let first = range.split_whitespace().next().and_then(|low| low.parse().ok()).unwrap_or(32_768_u16);
    let (low, span) = if first > 12_000 { (10_000, first - 10_000) } else { (20_000, 10_000) };
    let tries = (0..100).map(|_| low + u16::from_le_bytes(chance_bytes()) % span);
    let mut free = tries.filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.next().expect("a machine has a free port among a hundred")
}

/// A program in its home folder: running, stopped or killed.
#[derive(Debug)]
pub struct Program {
    name: String,
    exe: PathBuf,
    arguments: Vec<OsString>,
    home: PathBuf,
    place: Place,
    /// A cheap call that it answers as soon as it can be used.
    ready: &'static str,
    child: Mutex<Option<Child>>,
}

/// Why a program does not run.
#[derive(Debug)]
pub enum NotRunning {
    /// It ended before it could be used.
    Ended(ExitStatus),
    /// It runs and does not answer.
    Silent,
    /// The system did not start it.
    Io(io::Error),
}

impl Program {
    /// A program that does not run yet: `exe arguments… --home home`.
    pub fn new(name: &str, exe: &Path, arguments: &[&str], home: &Path, ready: &'static str) -> Self {
        let mut arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        arguments.extend(["--home".into(), home.as_os_str().to_owned()]);
        let (exe, home) = (exe.to_owned(), home.to_owned());
        Self {
            name: name.to_owned(),
            exe,
            arguments,
            home,
            place: Place::Here,
            ready,
            child: Mutex::new(None),
        }
    }

    /// The same at another place.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// Who it is in the scene.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its folder.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Where it runs.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The folder of its socket, cookie and address.
    pub fn runtime_dir(&self) -> PathBuf {
        self.home.join("run")
    }

    /// A way to call it as its own user.
    pub fn connection(&self) -> Connection {
        Connection::unix(&socket_in(&self.runtime_dir()))
    }

    /// Its process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child().as_ref().map(Child::id)
    }

    /// Starts it without waiting.
    pub fn spawn(&self) -> io::Result<()> {
        let log = OpenOptions::new().create(true).append(true).open(self.log_path())?;
        let mut command = self.place.command(&self.exe);
        command.args(&self.arguments).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        without_settings(&mut command);
        *self.child() = Some(command.spawn()?);
        Ok(())
    }

    /// Starts it and waits until it can be used.
    pub fn try_start(&self) -> Result<(), NotRunning> {
        self.spawn().map_err(NotRunning::Io)?;
        let answered = until(|| match self.exited() {
            Some(status) => Some(Err(NotRunning::Ended(status))),
            None => self.answers().then_some(Ok(())),
        });
        answered.unwrap_or(Err(NotRunning::Silent))
    }

    /// Starts it and waits until it can be used.
    ///
    /// # Panics
    /// When it does not come up, with its log.
    #[track_caller]
    pub fn start(&self) {
        if let Err(why) = self.try_start() {
            panic!("{} does not come up: {why:?}\n{}", self.name, self.log_tail());
        }
    }

    /// Whether it can be used now: the runtime files are there and the call is answered.
    pub fn answers(&self) -> bool {
        let run = self.runtime_dir();
        let files = ["cookie", "http"].iter().all(|name| run.join(name).exists()) && socket_in(&run).exists();
        let call = || patience::wait(self.connection().call_value(self.ready, json!({})));
        files && call().is_ok_and(|answer: Value| answer.is_object())
    }

    /// Asks it to end and waits for that (SIGTERM).
    ///
    /// # Panics
    /// When it has not ended cleanly in time.
    #[track_caller]
    pub fn stop(&self) {
        self.signal(Signal::TERM);
        let ended = until_within(CLEAN_END, || self.exited());
        *self.child() = None;
        match ended {
            Some(status) if status.success() => {}
            Some(status) => {
                panic!("{} ended with {status} when asked to stop\n{}", self.name, self.log_tail())
            }
            None => panic!("{} did not end when asked to stop\n{}", self.name, self.log_tail()),
        }
    }

    /// Ends it in the middle of whatever it does (SIGKILL).
    pub fn kill(&self) {
        if let Some(mut child) = self.child().take() {
            // Both fail only for a process that has ended already, which is what is wanted.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Holds it still: it keeps its sockets and answers nothing (SIGSTOP).
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on (SIGCONT).
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Lets it run on after this guard is gone, for a demo that is kept.
    pub fn outlives(&self) {
        drop(self.child().take());
    }

    /// Whether the process lives.
    pub fn is_running(&self) -> bool {
        self.child().is_some() && self.exited().is_none()
    }

    /// Waits for its own end, for scenes in which it has to give up.
    pub fn ends_by_itself(&self) -> Option<ExitStatus> {
        until(|| self.exited())
    }

    /// The end of what it has written.
    pub fn log_tail(&self) -> String {
        let log = fs::read(self.log_path()).unwrap_or_default();
        let tail = log.get(log.len().saturating_sub(LOG_TAIL)..).unwrap_or_default();
        format!("──── {} ────\n{}", self.name, String::from_utf8_lossy(tail))
    }

    /// All that it has written.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log_path()).unwrap_or_default()).into_owned()
    }

    /// The file it writes to.
    pub fn log_path(&self) -> PathBuf {
        self.home.with_extension("log")
    }

    fn exited(&self) -> Option<ExitStatus> {
        self.child().as_mut().and_then(|child| child.try_wait().ok().flatten())
    }

    fn signal(&self, signal: Signal) {
        let pid = self.pid().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        let pid = pid.unwrap_or_else(|| panic!("{} does not run", self.name));
        // A process that ended meanwhile is found by the caller's next step.
        let _ = kill_process(pid, signal);
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        // A panic of another thread of the same scene must not hide what went wrong there.
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("{}", self.log_tail());
        }
    }
}

/// What a command said and how it ended.
#[derive(Clone, Debug)]
pub struct Output {
    /// The exit code; none when a signal ended it.
    pub status: Option<i32>,
    /// What it printed for people or programs.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

impl Output {
    /// Whether it ended with 0.
    pub fn ok(&self) -> bool {
        self.status == Some(0)
    }

    /// Its output as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|why| panic!("no JSON ({why}): {self:?}"))
    }

    /// The same, if it ended with 0.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn expect_ok(self, what: &str) -> Self {
        if self.ok() { self } else { panic!("{what}: {self:?}") }
    }
}

/// Runs a command of ours to its end: `exe --home home arguments…`.
///
/// # Panics
/// When it cannot be started.
#[track_caller]
pub fn run<A: AsRef<OsStr>>(place: &Place, exe: &Path, home: &Path, arguments: &[A]) -> Output {
    let mut command = place.command(exe);
    command.arg("--home").arg(home).args(arguments).stdin(Stdio::null());
    without_settings(&mut command);
    let output = command.output().unwrap_or_else(|why| panic!("{}: {why}", exe.display()));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Output { status: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// The tester's own settings are not the scene's.
fn without_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("STERMINA_") {
            command.env_remove(name);
        }
    }
    command.env("NO_COLOR", "1");
}

/// A private file with this text, for codes that must not stand on a command line.
pub fn secret_file(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file: File = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}
