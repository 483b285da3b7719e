#pragma once

#include <cstddef>
#include <optional>

#include "culvert/base/bytes.h"

namespace culvert::tcp {

/// Cuts a stream into DNS messages, each behind its length in two bytes (RFC 7766 section 8). Keeps no more than one
/// message that is not complete yet.
class MessageReader {
public:
    /// A DNS message has at least a header (RFC 1035 section 4.1.1).
    static constexpr std::size_t kMinMessage = 12;

    /// Takes from the front of `bytes`, and says in `taken` how much, until a message is complete or nothing is left.
    [[nodiscard]] std::optional<Bytes> read(ByteSpan bytes, std::size_t& taken);

    /// Whether a length was read that no message has. The stream makes no sense from there on, and nothing more is
    /// read.
    [[nodiscard]] bool is_broken() const { return is_broken_; }
    /// Whether a message has begun that is not complete.
    [[nodiscard]] bool is_inside_message() const { return !partial_.empty(); }

private:
    Bytes partial_;  ///< With its length in front.
    bool is_broken_ = false;
};

/// `message` behind its length. Requires message.size() <= 65535.
[[nodiscard]] Bytes with_length(ByteSpan message);

}  // namespace culvert::tcp
