// Fragments as strangers send them: whatever comes, memory stays in bounds, and what is put together is one packet that
// can be cut and put together again.

#include <cstdint>
#include <cstdlib>

#include "culvert/packet/ip_packet.h"
#include "culvert/packet/reassembler.h"
#include "culvert/packet/segmenter.h"
#include "input.h"

namespace {

using namespace culvert;
using namespace culvert::packet;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

Bytes make_fragment(bool v4, std::uint8_t identification, std::size_t offset, ByteSpan payload, bool is_last) {
    Bytes packet(v4 ? kIpv4FragmentHeader : kIpv6FragmentHeader);
    packet[0] = v4 ? std::byte{0x45} : std::byte{0x60};
    packet[v4 ? 9 : 6] = v4 ? std::byte{kProtocolUdp} : std::byte{kProtocolFragment};
    packet[v4 ? 5 : kIpv6FragmentHeader - 1] = std::byte{identification};
    if (!v4) {
        packet[kIpv6HeaderLength] = std::byte{kProtocolUdp};
    }
    append(packet, payload);
    write_fragment_header(packet, offset, payload.size(), is_last);
    return packet;
}

void try_whole(Bytes whole) {
    const auto parsed = IpPacket::parse(whole, kMaxSuperPacket);
    require(!read_fragment(whole));
    if (!parsed) {
        return;
    }
    require(parsed->size() == whole.size());
    const auto expected = whole;
    Segmenter segmenter{*parsed};
    Reassembler again;
    std::optional<Bytes> made;
    const bool is_cut = segmenter.remaining() > 1;
    while (const auto fragment = segmenter.next()) {
        require(fragment->size() <= kMaxIpPacket);
        if (const auto complete = again.add(Uuid{}, *fragment, Instant{})) {
            made = to_bytes(*complete);
        }
    }
    require(!is_cut || made == expected);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input{data, size};
    Reassembler reassembler;
    Instant now{};
    while (input.left() > 5) {
        const auto switches = input.u8();
        now += std::chrono::milliseconds{(switches & 1U) != 0 ? input.u16() : 0};
        if (now >= reassembler.poll_timeout().value_or(Instant::max())) {
            reassembler.handle_timeout(now);
        }
        const Reassembler::Party party = (switches & 2U) != 0 ? Reassembler::Party{Uuid{}} : net::IpAddress{};
        const auto payload = input.take(input.u8());
        const auto bytes = (switches & 4U) != 0
                               ? payload
                               : make_fragment((switches & 8U) != 0, (switches >> 6U) & 1U, std::size_t{input.u8()} * 8,
                                               payload, (switches & 16U) != 0);
        if (const auto whole = reassembler.add(party, bytes, now)) {
            try_whole(to_bytes(*whole));
        }
        require(reassembler.cost() <= kReassemblyBytes);
        require(reassembler.size() != 0 || reassembler.cost() == 0);
    }
    reassembler.handle_timeout(now + 2 * kReassemblyTime);
    require(reassembler.size() == 0 && reassembler.cost() == 0 && !reassembler.poll_timeout());
    return 0;
}
