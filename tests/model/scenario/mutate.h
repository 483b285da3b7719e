#pragma once

#include <cstddef>

#include "culvert/base/bytes.h"
#include "culvert/base/rng.h"
#include "tests/model/scenario/decode.h"

/// Mutations of byte strings for decode() that know where steps begin: what libFuzzer's custom mutator and cross-over
/// call, next to its own mutations of single bytes. Deterministic for a given generator state.
namespace culvert::model {

/// One step of `bytes` is removed, repeated, swapped with the next one, replaced by a random one or changed in one
/// byte, or a random step is inserted. The setup stays. At most `max_size` bytes.
[[nodiscard]] Bytes mutate_steps(ByteSpan bytes, Rng& rng, std::size_t max_size, const DecodeOptions& options = {});

/// The setup and first steps of `first`, then the last steps of `second`. At most `max_size` bytes.
///
/// A step's bytes may decide something else behind another setup or other steps, as they choose among what is possible
/// there; the kind of action often stays.
[[nodiscard]] Bytes splice_steps(ByteSpan first, ByteSpan second, Rng& rng, std::size_t max_size,
                                 const DecodeOptions& options = {});

}  // namespace culvert::model
