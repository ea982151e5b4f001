//! The five codecs. What is unfolded is bounded by the caller: a few bytes can claim gigabytes.

use std::io::{Read, Write};

use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};
use zstd::zstd_safe::{self, DCtx};

use super::error::BatchError;
use super::xerial;

/// The codec as the attributes of a batch name it (CompressionType.java).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CompressionType {
    /// As they are.
    #[default]
    None,
    /// RFC 1952.
    Gzip,
    /// Raw, or in the framing of xerial's snappy-java; see [`super::xerial`].
    Snappy,
    /// The LZ4 frame format.
    Lz4,
    /// RFC 8878; in Produce requests from version 7 on.
    Zstd,
}

impl CompressionType {
    /// Every codec, by id.
    pub const ALL: [CompressionType; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// From the three bits in the attributes.
    pub fn from_id(id: u8) -> Result<CompressionType, BatchError> {
        Self::ALL.get(usize::from(id)).copied().ok_or(BatchError::UnknownCompression(id))
    }

    /// The three bits in the attributes.
    #[must_use]
    pub fn id(self) -> u8 {
        self as u8
    }

    /// Kafka's name in configs and tools.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            CompressionType::None => "none",
            CompressionType::Gzip => "gzip",
            CompressionType::Snappy => "snappy",
            CompressionType::Lz4 => "lz4",
            CompressionType::Zstd => "zstd",
        }
    }
}

/// A codec and its level, as `compression.type` and `compression.*.level` name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// As they are.
    #[default]
    None,
    /// 1 to 9; -1 is the library's default.
    Gzip(i32),
    /// Has no levels.
    Snappy,
    /// 1 to 17 are taken; the encoder has only its fast mode and treats all alike.
    Lz4(i32),
    /// The library's range, which it clamps to; 0 is its default.
    Zstd(i32),
}

impl Compression {
    /// Kafka's default levels (LogConfig.java).
    #[must_use]
    pub fn with_default_level(compression: CompressionType) -> Compression {
        match compression {
            CompressionType::None => Compression::None,
            CompressionType::Gzip => Compression::Gzip(-1),
            CompressionType::Snappy => Compression::Snappy,
            CompressionType::Lz4 => Compression::Lz4(9),
            CompressionType::Zstd => Compression::Zstd(3),
        }
    }

    /// The codec without its level.
    #[must_use]
    pub fn compression_type(self) -> CompressionType {
        match self {
            Compression::None => CompressionType::None,
            Compression::Gzip(_) => CompressionType::Gzip,
            Compression::Snappy => CompressionType::Snappy,
            Compression::Lz4(_) => CompressionType::Lz4,
            Compression::Zstd(_) => CompressionType::Zstd,
        }
    }
}

/// Compresses a batch's records. Fails only when an encoder does.
pub fn compress(compression: Compression, body: &[u8]) -> Result<Vec<u8>, BatchError> {
    let result = match compression {
        Compression::None => Ok(body.to_vec()),
        Compression::Gzip(level) => gzip(level, body),
        Compression::Snappy => Ok(xerial::compress(body)),
        Compression::Lz4(_) => lz4(body),
        Compression::Zstd(level) => zstd::bulk::compress(body, level),
    };
    result.map_err(|error| failed(compression.compression_type(), error))
}

/// Unfolds a batch's records into at most `bytes_max` bytes. Working memory of the codecs, beside the result, is at
/// most two LZ4 blocks of 4 MiB.
pub fn decompress(compression: CompressionType, input: &[u8], bytes_max: usize) -> Result<Vec<u8>, BatchError> {
    match compression {
        CompressionType::None if input.len() > bytes_max => Err(BatchError::DecompressedTooLarge { bytes_max }),
        CompressionType::None => Ok(input.to_vec()),
        CompressionType::Gzip => read_bounded(MultiGzDecoder::new(input), compression, input.len(), bytes_max),
        CompressionType::Snappy => xerial::decompress(input, bytes_max),
        CompressionType::Lz4 => read_bounded(FrameDecoder::new(input), compression, input.len(), bytes_max),
        CompressionType::Zstd => unzstd(input, bytes_max),
    }
}

fn gzip(level: i32, body: &[u8]) -> std::io::Result<Vec<u8>> {
    let level =
        u32::try_from(level).map_or(flate2::Compression::default(), |level| flate2::Compression::new(level.min(9)));
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 2), level);
    encoder.write_all(body)?;
    encoder.finish()
}

/// Independent blocks of 64 KiB: what Java's `Lz4BlockInputStream` insists on, and writes itself.
fn lz4(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let info = FrameInfo::new().block_mode(BlockMode::Independent).block_size(BlockSize::Max64KB);
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::with_capacity(body.len() / 2));
    encoder.write_all(body)?;
    Ok(encoder.finish()?)
}

/// Reads to the end or one byte past the bound, growing with what really arrives, never with what is claimed.
fn read_bounded(
    mut source: impl Read,
    codec: CompressionType,
    input_bytes: usize,
    bytes_max: usize,
) -> Result<Vec<u8>, BatchError> {
    let mut output = Vec::new();
    let mut room = input_bytes.saturating_mul(4).clamp(512, 256 * 1024);
    loop {
        let filled = output.len();
        room = room.min(bytes_max.saturating_add(1) - filled);
        output.resize(filled + room, 0);
        let read = read_full(&mut source, &mut output[filled..]).map_err(|error| failed(codec, error))?;
        output.truncate(filled + read);
        if output.len() > bytes_max {
            return Err(BatchError::DecompressedTooLarge { bytes_max });
        }
        if read < room {
            return Ok(output);
        }
        room = output.len();
        output.reserve_exact(room.min(bytes_max.saturating_add(1) - output.len()));
    }
}

fn read_full(source: &mut impl Read, mut buffer: &mut [u8]) -> std::io::Result<usize> {
    let wanted = buffer.len();
    while !buffer.is_empty() {
        match source.read(buffer)? {
            0 => break,
            read => buffer = &mut buffer[read..],
        }
    }
    Ok(wanted - buffer.len())
}

/// In one shot, into a buffer that grows until it fits: unlike the streaming decoder this needs no window beside the
/// output, and a hostile frame may ask for a window of 128 MiB.
fn unzstd(input: &[u8], bytes_max: usize) -> Result<Vec<u8>, BatchError> {
    let too_small = (zstd_safe::zstd_sys::ZSTD_ErrorCode::ZSTD_error_dstSize_tooSmall as usize).wrapping_neg();
    let guess = input.len().saturating_mul(4).max(16 * 1024);
    let stated = zstd_safe::get_frame_content_size(input).ok().flatten();
    let mut capacity = stated.map_or(guess, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX)).min(bytes_max);
    let mut context = DCtx::create();
    loop {
        let mut output = Vec::with_capacity(capacity);
        match context.decompress(&mut output, input) {
            Ok(_) if output.len() <= bytes_max => return Ok(output),
            Ok(_) => return Err(BatchError::DecompressedTooLarge { bytes_max }),
            Err(code) if code == too_small && capacity < bytes_max => {
                capacity = (capacity.max(4096) * 4).min(bytes_max)
            }
            Err(code) if code == too_small => return Err(BatchError::DecompressedTooLarge { bytes_max }),
            Err(code) => return Err(failed(CompressionType::Zstd, zstd_safe::get_error_name(code))),
        }
    }
}

pub(super) fn failed(codec: CompressionType, reason: impl ToString) -> BatchError {
    BatchError::Decompress { codec: codec.name(), reason: reason.to_string() }
}
