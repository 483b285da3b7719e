#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <iterator>
#include <optional>
#include <string_view>
#include <vector>

#include "culvert/base/bytes.h"
#include "culvert/net/socket_address.h"
#include "culvert/stun/constants.h"

namespace culvert::stun {

enum class ParseError : std::uint8_t {
    kTooShort,            ///< less than a header
    kNotStun,             ///< magic cookie or the two leading zero bits are missing
    kLengthMismatch,      ///< the length field is not a multiple of 4 or not exactly what follows the header
    kAttributeOverrun,    ///< an attribute is longer than the message
    kBadAttributeLength,  ///< an attribute of a known type has a length that its type cannot have
    kBadAttributeValue,   ///< a text is too long or not UTF-8, or an address family is unknown
};

[[nodiscard]] std::string_view to_string(ParseError error);

/// The fixed part of a message; enough to answer a request whose attributes are malformed.
struct Header {
    Class cls = Class::kRequest;
    Method method = Method::kBinding;
    TransactionId transaction_id{};

    /// Checks everything but the attributes: size, leading bits, magic cookie, length field.
    [[nodiscard]] static std::expected<Header, ParseError> parse(ByteSpan datagram);

    friend bool operator==(const Header&, const Header&) = default;
};

/// Longest text values that parse, in bytes.
struct TextLimits {
    std::size_t username = 128;
    std::size_t other = 128;  ///< REALM, NONCE and SOFTWARE
};
/// Clients, gateways and ICE agents (spec/connectivity.md section 4.3).
inline constexpr TextLimits kPeerTextLimits{128, 128};
/// The relay (spec/relay.md section 2.2).
inline constexpr TextLimits kRelayTextLimits{512, 127};

struct Attribute {
    AttributeType type;
    ByteSpan value;  ///< without padding
};

struct ErrorCode {
    std::uint16_t code;  ///< 300 to 699
    std::string_view reason;
};

/// A validated view of a STUN message; the datagram must outlive it.
///
/// Attributes that follow MESSAGE-INTEGRITY are invisible, except FINGERPRINT. If a type occurs more than once, every
/// accessor but attributes() and addresses() returns the first.
class Message {
public:
    /// Visits attributes in wire order, those of unknown types included.
    class Iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = Attribute;
        using difference_type = std::ptrdiff_t;
        using pointer = void;
        using reference = Attribute;

        [[nodiscard]] Attribute operator*() const;
        Iterator& operator++();
        Iterator operator++(int);
        friend bool operator==(const Iterator& a, const Iterator& b) { return a.rest_.size() == b.rest_.size(); }

    private:
        friend class Message;
        explicit Iterator(ByteSpan rest) : rest_{rest} {}
        ByteSpan rest_;
    };
    struct Attributes {
        Iterator first;
        Iterator last;
        [[nodiscard]] Iterator begin() const { return first; }
        [[nodiscard]] Iterator end() const { return last; }
    };

    /// Checks the whole message: framing, and length and form of every attribute of a known type.
    [[nodiscard]] static std::expected<Message, ParseError> parse(ByteSpan datagram,
                                                                  TextLimits limits = kPeerTextLimits);

    [[nodiscard]] const Header& header() const { return header_; }
    [[nodiscard]] Class cls() const { return header_.cls; }
    [[nodiscard]] Method method() const { return header_.method; }
    [[nodiscard]] const TransactionId& transaction_id() const { return header_.transaction_id; }
    [[nodiscard]] bool is(Class cls, Method method) const { return header_.cls == cls && header_.method == method; }
    [[nodiscard]] ByteSpan bytes() const { return bytes_; }

    /// All attributes in front of MESSAGE-INTEGRITY; all but FINGERPRINT if there is none.
    [[nodiscard]] Attributes attributes() const;

    [[nodiscard]] bool has(AttributeType type) const { return find(type).has_value(); }
    /// The raw value of the first attribute of this type.
    [[nodiscard]] std::optional<ByteSpan> find(AttributeType type) const;

    /// USERNAME, REALM, NONCE, SOFTWARE.
    [[nodiscard]] std::optional<std::string_view> text(AttributeType type) const;
    /// LIFETIME (seconds), PRIORITY.
    [[nodiscard]] std::optional<std::uint32_t> u32(AttributeType type) const;
    /// ICE-CONTROLLED, ICE-CONTROLLING.
    [[nodiscard]] std::optional<std::uint64_t> u64(AttributeType type) const;
    /// CHANNEL-NUMBER; any 16-bit number.
    [[nodiscard]] std::optional<std::uint16_t> channel_number() const;
    /// The protocol number in REQUESTED-TRANSPORT.
    [[nodiscard]] std::optional<std::uint8_t> requested_transport() const;
    /// REQUESTED-ADDRESS-FAMILY, ADDITIONAL-ADDRESS-FAMILY.
    [[nodiscard]] std::optional<net::Family> address_family(AttributeType type) const;
    /// XOR-MAPPED-ADDRESS, XOR-PEER-ADDRESS, XOR-RELAYED-ADDRESS.
    [[nodiscard]] std::optional<net::SocketAddress> address(AttributeType type) const;
    /// Every address of this type, in wire order (an Allocate success has one XOR-RELAYED-ADDRESS per family).
    [[nodiscard]] std::vector<net::SocketAddress> addresses(AttributeType type) const;
    [[nodiscard]] std::optional<ErrorCode> error_code() const;

    [[nodiscard]] bool has_integrity() const { return integrity_at_.has_value(); }
    /// The value of MESSAGE-INTEGRITY. Requires has_integrity().
    [[nodiscard]] ByteSpan integrity() const { return bytes_.subspan(*integrity_at_ + 4, 20); }
    /// Whether MESSAGE-INTEGRITY is there and was made with `key`: a password (short-term) or long_term_key().
    [[nodiscard]] bool verify_integrity(ByteSpan key) const;
    [[nodiscard]] bool has_fingerprint() const { return fingerprint_at_.has_value(); }
    /// Whether FINGERPRINT is there, last and right.
    [[nodiscard]] bool verify_fingerprint() const;

private:
    Message(const Header& header, ByteSpan bytes) : header_{header}, bytes_{bytes}, visible_end_{bytes.size()} {}

    Header header_;
    ByteSpan bytes_;
    std::size_t visible_end_;  // where attributes() stops
    std::optional<std::size_t> integrity_at_;
    std::optional<std::size_t> fingerprint_at_;
};

}  // namespace culvert::stun
