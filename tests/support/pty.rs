//! A program at a terminal of its own, which is read as a person reads it.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    num::NonZero,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::fs::OpenOptionsExt as _,
    },
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use nix::{
    fcntl::OFlag,
    poll::{PollFd, PollFlags, poll},
    pty::{grantpt, posix_openpt, ptsname_r, unlockpt},
    sys::{
        signal::Signal,
        termios::{LocalFlags, Termios, tcgetattr},
    },
};

use super::{LIMIT, eventually, process};

/// A terminal with a program in it.
pub struct Pty {
    child: Child,
    /// The end of whoever sits there.
    keys: Option<File>,
    /// The other end, to see how the program has set it.
    end: OwnedFd,
    /// How it was set before.
    before: Termios,
    screen: Arc<Mutex<vt100::Parser>>,
    /// Who reads what it prints, and how that one is told to end.
    reader: Option<(JoinHandle<()>, Arc<AtomicBool>)>,
}

impl Pty {
    /// Starts a command in a terminal of this size, which is the terminal of a session of its own.
    pub fn start(command: &Command, (rows, columns): (u16, u16)) -> Self {
        // Not by openpty(): what other tests start meanwhile would hold the terminal, too.
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let master = posix_openpt(flags).expect("a pseudo-terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("its other end");
        let name = ptsname_r(&master).expect("its name");
        let mut options = File::options();
        options.read(true).write(true).custom_flags(OFlag::O_NOCTTY.bits());
        let slave = OwnedFd::from(options.open(name).expect("its other end"));
        stty(&slave, rows, columns);
        let before = tcgetattr(&slave).expect("settings");
        let stdio = || Stdio::from(slave.try_clone().expect("a descriptor"));
        let mut inside = Command::new("setsid");
        inside.arg("--ctty").arg(command.get_program()).args(command.get_args());
        inside.env_clear().env("TERM", "xterm-256color");
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                inside.env(name, value);
            }
        }
        if let Some(dir) = command.get_current_dir() {
            inside.current_dir(dir);
        }
        inside.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        let child = inside.stdin(stdio()).stdout(stdio()).stderr(stdio()).spawn();
        let child = child.expect("setsid starts");
        let screen = Arc::new(Mutex::new(vt100::Parser::new(cells(rows), cells(columns), 0)));
        let keys = File::from(OwnedFd::from(master));
        let output = keys.try_clone().expect("a descriptor");
        let is_over = Arc::new(AtomicBool::new(false));
        let (into, until) = (Arc::clone(&screen), Arc::clone(&is_over));
        let reader = thread::spawn(move || read(output, &into, &until));
        let reader = Some((reader, is_over));
        Self { child, keys: Some(keys), end: slave, before, screen, reader }
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        let keys_of = self.keys.as_mut().expect("it has not hung up");
        keys_of.write_all(keys.as_bytes()).expect("a terminal");
    }

    /// What is on the screen.
    pub fn text(&self) -> String {
        self.screen.lock().expect("a screen").screen().contents()
    }

    /// Waits until the screen is as wanted.
    pub async fn until(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let probe = async || Some(self.text()).filter(|text| wanted(text));
        match tokio::time::timeout(LIMIT, eventually(LIMIT * 2, what, probe)).await {
            Ok(text) => text,
            Err(_) => panic!("not within {LIMIT:?}: {what}; the screen is\n{}", self.text()),
        }
    }

    /// Changes the size of the terminal.
    pub fn resize(&self, rows: u16, columns: u16) {
        let mut parser = self.screen.lock().expect("a screen");
        parser.screen_mut().set_size(cells(rows), cells(columns));
        drop(parser);
        stty(&self.end, rows, columns);
    }

    /// Sends the program a signal.
    pub fn signal(&self, signal: Signal) {
        process::signal(self.child.id() as i32, signal);
    }

    /// Whether the program has taken the terminal over.
    pub fn is_taken(&self) -> bool {
        let now = tcgetattr(&self.end).expect("settings");
        let is_raw = !now.local_flags.intersects(LocalFlags::ICANON | LocalFlags::ECHO);
        is_raw && self.screen.lock().expect("a screen").screen().alternate_screen()
    }

    /// Whether a signal has stopped the program.
    pub fn is_stopped(&self) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        status.expect("it runs").contains("\nState:\tT")
    }

    /// Waits for the end of the program; the terminal must be as it was.
    pub async fn ended(mut self) -> ExitStatus {
        let status = self.end_of_child().await;
        // What it has written last may still be on its way.
        self.until("the screen is given back", |_| {
            let parser = self.screen.lock().expect("a screen");
            !parser.screen().alternate_screen() && !parser.screen().hide_cursor()
        })
        .await;
        let after = tcgetattr(&self.end).expect("settings");
        assert_eq!(after.local_flags, self.before.local_flags);
        assert_eq!(after.input_flags, self.before.input_flags);
        assert_eq!(after.output_flags, self.before.output_flags);
        status
    }

    /// Hangs up, as a connection does that breaks; waits for the end of the program.
    pub async fn hung_up(mut self) -> ExitStatus {
        let (reader, is_over) = self.reader.take().expect("once");
        is_over.store(true, Ordering::Relaxed);
        reader.join().expect("no panic");
        self.keys = None;
        self.end_of_child().await
    }

    async fn end_of_child(&mut self) -> ExitStatus {
        let child = &mut self.child;
        eventually(LIMIT, "the program ends", async || child.try_wait().expect("a child of ours"))
            .await
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // It has ended already, unless the test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sets the size of a terminal.
fn stty(end: &OwnedFd, rows: u16, columns: u16) {
    let (rows, columns) = (rows.to_string(), columns.to_string());
    let mut stty = Command::new("stty");
    stty.args(["rows", &rows, "cols", &columns]).stdin(end.try_clone().expect("a descriptor"));
    assert!(stty.status().expect("stty starts").success());
}

fn cells(number: u16) -> NonZero<u16> {
    NonZero::new(number).expect("a terminal has cells")
}

/// Feeds the screen until the program or the terminal is gone.
fn read(mut output: File, screen: &Mutex<vt100::Parser>, is_over: &AtomicBool) {
    /// How often to look whether the terminal should go.
    const LOOK: u16 = 20;
    let mut buffer = [0; 4096];
    while !is_over.load(Ordering::Relaxed) {
        let mut ready = [PollFd::new(output.as_fd(), PollFlags::POLLIN)];
        if poll(&mut ready, LOOK).expect("poll") == 0 {
            continue;
        }
        match output.read(&mut buffer) {
            Ok(read @ 1..) => screen.lock().expect("a screen").process(&buffer[..read]),
            // The end of the program is an error here.
            Ok(0) | Err(_) => return,
        }
    }
}
