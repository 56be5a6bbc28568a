//! What happens around a worker, from a seed.

use fastrand::Rng;

/// One thing that happens around a worker.
#[derive(Debug, Clone)]
pub enum Op {
    Start {
        stream: bool,
        deadline: Option<u16>,
    },
    Cancel(u64),
    /// An operator cancels it.
    CancelByOperator(u64),
    GetStacks,
    /// The caller is gone, but its cancel has not come yet.
    Leave(u64),
    Read(u64),
    Credit(u64),
    Load(u8),
    Import,
    Drain,
    EndStreams(u16),
    Kill,
    Frame(FrameOp),
    Written(u8),
    Closed {
        within_frame: bool,
    },
    Fault,
    Exited {
        begun: u8,
        written: u8,
    },
    Wait(u16),
}

#[derive(Debug, Clone)]
pub enum FrameOp {
    Hello(u32, u32),
    Response(u64),
    Chunk(u64, u8),
    End(u64),
    Error(u64),
    Pong,
    Stacks(u64),
    Metrics,
    Ready,
    Imported,
    Failed,
    Unknown,
    /// A frame that fits no call, many times.
    Flood(u16),
}

impl FrameOp {
    /// One of them.
    pub fn draw(random: &mut Rng) -> Self {
        let call = random.u64(1..10);
        match random.u32(0..38) {
            0 => Self::Hello(random.u32(0..4), random.u32(0..4)),
            1..7 => Self::Response(call),
            7..19 => Self::Chunk(call, random.u8(0..60)),
            19..23 => Self::End(call),
            23..26 => Self::Error(call),
            26..29 => Self::Pong,
            29..31 => Self::Ready,
            31 => Self::Imported,
            32 => Self::Failed,
            33 => Self::Unknown,
            35 => Self::Stacks(random.u64(0..4)),
            36 => Self::Metrics,
            34 => Self::Flood(random.u16(0..1500)),
            _ => Self::Response(call),
        }
    }
}

impl Op {
    /// One of them.
    pub fn draw(random: &mut Rng) -> Self {
        let call = random.u64(1..10);
        match random.u32(0..87) {
            0..12 => Self::Start {
                stream: random.bool(),
                deadline: random.bool().then(|| random.u16(0..20_000)),
            },
            12..16 => Self::Cancel(call),
            16..18 => Self::Leave(call),
            18..24 => Self::Read(call),
            24..27 => Self::Credit(call),
            27..29 => Self::Load(random.u8(0..3)),
            29 => Self::Import,
            30 if random.bool() => Self::EndStreams(random.u16(0..9000)),
            30 => Self::Drain,
            31 => Self::Kill,
            32..62 => Self::Frame(FrameOp::draw(random)),
            62..68 => Self::Written(random.u8(..)),
            68 => Self::Closed { within_frame: random.bool() },
            69 => Self::Fault,
            83..86 => Self::CancelByOperator(call),
            86 => Self::GetStacks,
            70 => Self::Exited { begun: random.u8(..), written: random.u8(..) },
            _ => Self::Wait(random.u16(0..15_000)),
        }
    }
}
