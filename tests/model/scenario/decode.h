#pragma once

#include <cstddef>
#include <vector>

#include "culvert/base/bytes.h"
#include "tests/model/scenario/action.h"

/// Random cases: a byte string becomes a scenario. See ChoiceSource for why bytes and not a random generator.
namespace culvert::model {

/// No decoding reads more bytes than this; longer strings give the same scenario as their beginning.
inline constexpr std::size_t kMaxDecodedBytes = 1024;

/// Kinds of actions that may be left out. Options change what a byte string means: replay with the same ones.
struct DecodeOptions {
    bool faults = true;
    /// Also whether there may be a hostile client or gateway.
    bool attacks = true;
    /// Also whether tokens may expire.
    bool admin = true;
    bool processes = true;
};

/// A scenario for every byte string, the empty one included: one client, gateway, relay and resource, one probe.
///
/// Between 5 and 15 steps and a Settle, fewer if the bytes are used up earlier. Steps are drawn from what the steps
/// before left possible, so nearly all of them are effective; at most three faults are active at any time.
[[nodiscard]] Scenario decode(ByteSpan bytes, const DecodeOptions& options = {});

/// Where in a byte string what was decided.
struct DecodedLayout {
    /// Bytes of the setup and of the number of steps.
    std::size_t setup = 0;
    /// Where each step ends, in order, without the Settle at the end. Step i begins where the one before ends.
    std::vector<std::size_t> step_ends;

    friend bool operator==(const DecodedLayout&, const DecodedLayout&) = default;
};
[[nodiscard]] DecodedLayout decoded_layout(ByteSpan bytes, const DecodeOptions& options = {});

}  // namespace culvert::model
