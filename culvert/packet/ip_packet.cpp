#include "culvert/packet/ip_packet.h"

#include <array>
#include <cassert>
#include <cstring>

#include "culvert/packet/checksum.h"
#include "culvert/packet/extension_headers.h"
#include "culvert/packet/ipv4_options.h"

namespace culvert::packet {

namespace {

constexpr std::size_t kIpv4ChecksumOffset = 10;
constexpr std::uint16_t kIpv4MoreFragmentsOrOffset = 0x3fff;

struct Layout {
    std::size_t length = 0;  // of the IP packet
    UpperLayer l4;
};

std::expected<Layout, ParseError> read_ipv4(ByteSpan bytes) {
    if (bytes.size() < kIpv4HeaderLength) {
        return std::unexpected{ParseError::kTooShort};
    }
    const auto header_length = (static_cast<std::size_t>(bytes[0]) & 0x0fU) * 4;
    if (header_length < kIpv4HeaderLength || header_length > bytes.size()) {
        return std::unexpected{ParseError::kBadHeaderLength};
    }
    const std::size_t length = load_be<std::uint16_t>(bytes.subspan(2));
    if (length < header_length || length > bytes.size()) {
        return std::unexpected{ParseError::kBadTotalLength};
    }
    // Before the AH header, which only the first fragment has.
    if ((load_be<std::uint16_t>(bytes.subspan(6)) & kIpv4MoreFragmentsOrOffset) != 0) {
        return std::unexpected{ParseError::kFragment};
    }
    if (header_length > kIpv4HeaderLength) {  // which few packets have
        const auto options = bytes.first(header_length).subspan(kIpv4HeaderLength);
        if (const auto problem = check_ipv4_options(options)) {
            return std::unexpected{*problem == OptionsProblem::kSourceRoute ? ParseError::kSourceRoute
                                                                            : ParseError::kBadOptions};
        }
    }
    Layout layout{length, {static_cast<std::uint8_t>(bytes[9]), header_length}};
    if (layout.l4.protocol == kProtocolAh) {
        const auto rest = bytes.first(length).subspan(header_length);
        const auto ah = ah_length(rest);
        if (ah == 0) {
            return std::unexpected{ParseError::kBadExtensionHeader};
        }
        layout.l4 = {static_cast<std::uint8_t>(rest[0]), header_length + ah};
    }
    return layout;
}

ParseError to_parse_error(ExtensionError error) {
    switch (error) {
        case ExtensionError::kFragment:
            return ParseError::kFragment;
        case ExtensionError::kSourceRoute:
            return ParseError::kSourceRoute;
        case ExtensionError::kMalformed:
            break;
    }
    return ParseError::kBadExtensionHeader;
}

std::expected<Layout, ParseError> read_ipv6(ByteSpan bytes) {
    if (bytes.size() < kIpv6HeaderLength) {
        return std::unexpected{ParseError::kTooShort};
    }
    const std::size_t payload_length = load_be<std::uint16_t>(bytes.subspan(4));
    if (kIpv6HeaderLength + payload_length > bytes.size()) {
        return std::unexpected{ParseError::kBadTotalLength};
    }
    const auto length = payload_length == 0 ? bytes.size() : kIpv6HeaderLength + payload_length;
    const auto l4 = walk_ipv6_extensions(bytes.first(length), false);
    if (!l4) {
        return std::unexpected{to_parse_error(l4.error())};
    }
    return Layout{length, *l4};
}

/// Where the L4 payload lies, counted from the L4 header.
struct PayloadRange {
    std::size_t begin = 0;
    std::size_t end = 0;
};

std::expected<PayloadRange, ParseError> check_udp(ByteSpan l4) {
    if (l4.size() < kUdpHeaderLength) {
        return std::unexpected{ParseError::kBadUdp};
    }
    const std::size_t length = load_be<std::uint16_t>(l4.subspan(4));
    if (length == 0) {
        return PayloadRange{kUdpHeaderLength, l4.size()};
    }
    if (length < kUdpHeaderLength || length > l4.size()) {
        return std::unexpected{ParseError::kBadUdp};
    }
    return PayloadRange{kUdpHeaderLength, length};
}

std::expected<PayloadRange, ParseError> check_tcp(ByteSpan l4) {
    if (l4.size() < kTcpHeaderLength) {
        return std::unexpected{ParseError::kBadTcp};
    }
    const auto header_length = (static_cast<std::size_t>(l4[12]) >> 4) * 4;
    if (header_length < kTcpHeaderLength || header_length > l4.size()) {
        return std::unexpected{ParseError::kBadTcp};
    }
    return PayloadRange{header_length, l4.size()};
}

std::expected<PayloadRange, ParseError> check_icmp(ByteSpan l4, bool is_v4) {
    constexpr std::uint8_t kTimestampRequest = 13;
    constexpr std::uint8_t kTimestampReply = 14;
    constexpr std::size_t kTimestampLength = 20;
    if (l4.size() < kIcmpHeaderLength) {
        return std::unexpected{ParseError::kBadIcmp};
    }
    if (is_v4) {
        const auto type = static_cast<std::uint8_t>(l4[0]);
        const auto code = static_cast<std::uint8_t>(l4[1]);
        if ((type == kTimestampRequest || type == kTimestampReply) && code == 0 && l4.size() != kTimestampLength) {
            return std::unexpected{ParseError::kBadIcmp};
        }
    }
    return PayloadRange{kIcmpHeaderLength, l4.size()};
}

std::expected<PayloadRange, ParseError> check_l4(std::uint8_t protocol, ByteSpan l4, bool is_v4) {
    switch (protocol) {
        case kProtocolUdp:
            return check_udp(l4);
        case kProtocolTcp:
            return check_tcp(l4);
        case kProtocolIcmp:
        case kProtocolIcmpv6:
            if ((protocol == kProtocolIcmp) != is_v4) {
                return std::unexpected{ParseError::kIcmpOfOtherVersion};
            }
            return check_icmp(l4, is_v4);
        default:
            return PayloadRange{0, l4.size()};
    }
}

/// Of a length that the compiler knows: read for every packet.
template <std::size_t Length>
net::IpAddress read_address(const std::byte* bytes) {
    std::array<std::uint8_t, Length> address;
    std::memcpy(address.data(), bytes, Length);
    return net::IpAddress{address};
}

}  // namespace

std::string_view to_string(ParseError error) {
    switch (error) {
        case ParseError::kTooLong:
            return "packet exceeds the MTU of the tunnel";
        case ParseError::kTooShort:
            return "packet is shorter than its IP header";
        case ParseError::kBadVersion:
            return "neither IPv4 nor IPv6";
        case ParseError::kBadHeaderLength:
            return "bad IPv4 header length";
        case ParseError::kBadTotalLength:
            return "bad IP length";
        case ParseError::kBadExtensionHeader:
            return "bad IP extension header";
        case ParseError::kFragment:
            return "IP fragment";
        case ParseError::kBadOptions:
            return "bad IPv4 options";
        case ParseError::kSourceRoute:
            return "source route";
        case ParseError::kBadUdp:
            return "bad UDP header";
        case ParseError::kBadTcp:
            return "bad TCP header";
        case ParseError::kBadIcmp:
            return "bad ICMP message";
        case ParseError::kIcmpOfOtherVersion:
            return "ICMP of the other IP version";
    }
    return "unknown";
}

std::string_view to_string(NoL4Value error) {
    switch (error) {
        case NoL4Value::kUnsupportedIcmpType:
            return "unsupported ICMP type";
        case NoL4Value::kUnsupportedProtocol:
            return "unsupported IP protocol";
    }
    return "unknown";
}

std::expected<IpPacket, ParseError> IpPacket::parse(MutableByteSpan bytes, std::size_t max_length) {
    if (bytes.size() > max_length || bytes.size() > kMaxSuperPacket) {
        return std::unexpected{ParseError::kTooLong};
    }
    if (bytes.empty()) {
        return std::unexpected{ParseError::kTooShort};
    }
    const auto version = static_cast<std::uint8_t>(bytes[0]) >> 4;
    if (version != 4 && version != 6) {
        return std::unexpected{ParseError::kBadVersion};
    }
    const bool is_v4 = version == 4;
    const auto layout = is_v4 ? read_ipv4(bytes) : read_ipv6(bytes);
    if (!layout) {
        return std::unexpected{layout.error()};
    }
    const auto payload = check_l4(layout->l4.protocol, bytes.first(layout->length).subspan(layout->l4.offset), is_v4);
    if (!payload) {
        return std::unexpected{payload.error()};
    }

    IpPacket packet;
    packet.data_ = bytes.data();
    packet.length_ = static_cast<std::uint32_t>(layout->length);
    packet.l4_offset_ = static_cast<std::uint32_t>(layout->l4.offset);
    packet.payload_offset_ = static_cast<std::uint32_t>(layout->l4.offset + payload->begin);
    packet.payload_end_ = static_cast<std::uint32_t>(layout->l4.offset + payload->end);
    packet.protocol_ = layout->l4.protocol;
    packet.is_v4_ = is_v4;
    return packet;
}

net::IpAddress IpPacket::source() const {
    return is_v4_ ? read_address<4>(data_ + 12) : read_address<16>(data_ + 8);
}

net::IpAddress IpPacket::destination() const {
    return is_v4_ ? read_address<4>(data_ + 16) : read_address<16>(data_ + 24);
}

bool IpPacket::is_icmp_echo() const {
    if (!is_icmp() || icmp_code() != 0) {
        return false;
    }
    const auto type = icmp_type();
    return is_v4_ ? type == kIcmpEchoRequest || type == kIcmpEchoReply
                  : type == kIcmpv6EchoRequest || type == kIcmpv6EchoReply;
}

std::expected<L4Value, NoL4Value> IpPacket::l4_value(std::size_t port_offset) const {
    if (is_tcp()) {
        return L4Value{L4Protocol::kTcp, load_be<std::uint16_t>(l4().subspan(port_offset))};
    }
    if (is_udp()) {
        return L4Value{L4Protocol::kUdp, load_be<std::uint16_t>(l4().subspan(port_offset))};
    }
    if (is_icmp_echo()) {
        return L4Value{L4Protocol::kIcmp, load_be<std::uint16_t>(l4().subspan(4))};
    }
    return std::unexpected{is_icmp() ? NoL4Value::kUnsupportedIcmpType : NoL4Value::kUnsupportedProtocol};
}

void IpPacket::set_source(const net::IpAddress& address) {
    set_address(is_v4_ ? 12 : 8, address);
}

void IpPacket::set_destination(const net::IpAddress& address) {
    set_address(is_v4_ ? 16 : 24, address);
}

void IpPacket::set_address(std::size_t offset, const net::IpAddress& address) {
    assert(address.is_v4() == is_v4_);

    const auto field = bytes().subspan(offset, is_v4_ ? 4 : 16);
    const ChecksumDelta delta{field, address.bytes()};
    std::memcpy(field.data(), address.bytes().data(), field.size());
    if (protocol_ != kProtocolIcmp) {  // the only checksum without a pseudo-header
        update_l4_checksum(delta);
    }
    if (is_v4_) {
        update_ipv4_checksum(delta);
    }
}

void IpPacket::set_l4_value(std::size_t port_offset, std::uint16_t value) {
    assert(source_value().has_value());

    const auto field = l4().subspan(is_icmp() ? 4 : port_offset, 2);
    const ChecksumDelta delta{load_be<std::uint16_t>(field), value};
    store_be(field, value);
    update_l4_checksum(delta);
}

void IpPacket::set_ecn(net::Ecn ecn) {
    const auto bits = static_cast<std::uint32_t>(ecn);
    if (!is_v4_) {
        data_[1] = static_cast<std::byte>((byte(1) & 0xcfU) | (bits << 4));
        return;
    }
    const auto before = load_be<std::uint16_t>(bytes());
    const auto after = static_cast<std::uint16_t>((before & 0xfffcU) | bits);
    store_be(bytes(), after);
    update_ipv4_checksum({before, after});
}

void IpPacket::recompute_checksums() {
    write_fresh_l4_checksum();
    if (is_v4_) {
        const auto header = bytes().first((static_cast<std::size_t>(byte(0)) & 0x0fU) * 4);
        const auto checksum = header.subspan(kIpv4ChecksumOffset, 2);
        store_be(checksum, std::uint16_t{0});
        store_be(checksum, internet_checksum(header));
    }
}

bool IpPacket::checksums_are_valid() const {
    constexpr std::uint16_t kValid = 0xffff;
    if (is_v4_) {
        const auto header = bytes().first((static_cast<std::size_t>(byte(0)) & 0x0fU) * 4);
        if (Checksum{}.add(header).sum() != kValid) {
            return false;
        }
    }
    const auto field = l4_checksum_field();
    if (field.empty()) {
        return true;
    }
    if (is_udp() && load_be<std::uint16_t>(field) == 0) {
        return is_v4_;  // IPv6 knows no UDP without checksum (RFC 8200 section 8.1)
    }
    Checksum checksum;
    const auto covered = checksummed_l4();
    if (protocol_ != kProtocolIcmp) {
        checksum.add_pseudo_header(address_bytes(), protocol_, covered.size());
    }
    return checksum.add(covered).sum() == kValid;
}

MutableByteSpan IpPacket::l4_checksum_field() const {
    if (is_tcp()) {
        return l4().subspan(16, 2);
    }
    if (is_udp()) {
        return l4().subspan(6, 2);
    }
    return is_icmp() ? l4().subspan(2, 2) : MutableByteSpan{};
}

MutableByteSpan IpPacket::checksummed_l4() const {
    return {data_ + l4_offset_, data_ + payload_end_};
}

void IpPacket::write_fresh_l4_checksum() {
    const auto field = l4_checksum_field();
    if (field.empty()) {
        return;
    }
    store_be(field, std::uint16_t{0});
    Checksum checksum;
    const auto covered = checksummed_l4();
    if (protocol_ != kProtocolIcmp) {
        checksum.add_pseudo_header(address_bytes(), protocol_, covered.size());
    }
    checksum.add(covered);
    store_be(field, is_udp() ? checksum.udp_value() : checksum.value());
}

void IpPacket::update_l4_checksum(const ChecksumDelta& delta) {
    const auto field = l4_checksum_field();
    if (field.empty()) {
        return;
    }
    const auto checksum = load_be<std::uint16_t>(field);
    if (is_udp() && checksum == 0) {
        write_fresh_l4_checksum();
        return;
    }
    const auto updated = delta.apply(checksum);
    store_be(field, is_udp() && updated == 0 ? std::uint16_t{0xffff} : updated);
}

void IpPacket::update_ipv4_checksum(const ChecksumDelta& delta) {
    const auto field = bytes().subspan(kIpv4ChecksumOffset, 2);
    store_be(field, delta.apply(load_be<std::uint16_t>(field)));
}

}  // namespace culvert::packet
