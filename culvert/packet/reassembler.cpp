#include "culvert/packet/reassembler.h"

#include <algorithm>
#include <cassert>

#include "culvert/packet/constants.h"

namespace culvert::packet {
namespace {

/// What a piece costs beside its bytes: a header each, so that tiny ones do not come for nothing.
constexpr std::size_t kPieceCost = 128;
constexpr std::size_t kPacketCost = 256;

}  // namespace

std::optional<MutableByteSpan> Reassembler::add(const Party& party, ByteSpan bytes, Instant now) {
    const auto fragment = read_fragment(bytes);
    if (!fragment) {
        return std::nullopt;
    }
    const Key key{party, fragment->source, fragment->destination, fragment->identification,
                  fragment->source.is_v4() ? fragment->protocol : std::uint8_t{0}};
    const auto entry = find_or_begin(key, now);
    if (entry->second.is_refused) {
        return std::nullopt;
    }
    switch (fit(entry->second, *fragment)) {
        case Fit::kRepeats:
            return std::nullopt;
        case Fit::kContradicts:
            refuse(entry);
            return std::nullopt;
        case Fit::kFits:
            break;
    }
    take(entry, *fragment);
    if (!entry->second.is_complete()) {
        make_room(party);
        return std::nullopt;
    }
    const auto whole = join(entry->second);
    erase(entry);
    return whole;
}

Reassembler::Packets::iterator Reassembler::find_or_begin(const Key& key, Instant now) {
    auto entry = packets_.find(key);
    if (entry != packets_.end() && now - entry->second.since >= kReassemblyTime) {
        erase(entry);
        entry = packets_.end();
    }
    if (entry != packets_.end()) {
        return entry;
    }
    entry = packets_.try_emplace(key).first;
    entry->second.since = now;
    ++shares_[key.party].packets;
    charge(entry, kPacketCost);
    if (!next_sweep_) {
        next_sweep_ = now + kReassemblyTime;
    }
    return entry;
}

Reassembler::Fit Reassembler::fit(const Packet& packet, const Fragment& fragment) {
    const auto next = packet.pieces.lower_bound(fragment.offset);
    if (next != packet.pieces.end() && next->first == fragment.offset && equal(next->second, fragment.payload)) {
        const bool ends = packet.end == fragment.end();
        return ends == fragment.is_last ? Fit::kRepeats : Fit::kContradicts;
    }
    const bool overlaps_next = next != packet.pieces.end() && fragment.end() > next->first;
    const bool overlaps_last =
        next != packet.pieces.begin() && std::prev(next)->first + std::prev(next)->second.size() > fragment.offset;
    const bool is_behind_end = packet.end && fragment.end() > *packet.end;
    const bool ends_twice = packet.end && fragment.is_last;
    const bool ends_too_early =
        fragment.is_last && !packet.pieces.empty() && packet.pieces.rbegin()->first >= fragment.end();
    const bool are_too_many = packet.pieces.size() == kMaxFragments;
    return overlaps_next || overlaps_last || is_behind_end || ends_twice || ends_too_early || are_too_many
               ? Fit::kContradicts
               : Fit::kFits;
}

void Reassembler::take(Packets::iterator entry, const Fragment& fragment) {
    auto& packet = entry->second;
    packet.pieces.emplace(fragment.offset, to_bytes(fragment.payload));
    packet.received += fragment.payload.size();
    packet.has_congestion_mark |= fragment.ecn == net::Ecn::kCe;
    packet.has_not_ect |= fragment.ecn == net::Ecn::kNotEct;
    if (fragment.is_first()) {
        packet.header = to_bytes(fragment.header);
        packet.first_ecn = fragment.ecn;
    }
    if (fragment.is_last) {
        packet.end = fragment.end();
    }
    charge(entry, fragment.payload.size() + kPieceCost);
}

MutableByteSpan Reassembler::join(const Packet& packet) {
    whole_.resize(packet.header.size() + packet.received);
    const MutableByteSpan whole{whole_};
    std::ranges::copy(packet.header, whole.begin());
    for (const auto& [offset, piece] : packet.pieces) {
        std::ranges::copy(piece, whole.begin() + static_cast<std::ptrdiff_t>(packet.header.size() + offset));
    }
    // A router's mark on one fragment is one on the whole, of a sender that understands it (RFC 3168 section 5.3).
    const bool is_marked = packet.has_congestion_mark && !packet.has_not_ect;
    write_whole_header(whole, packet.received, is_marked ? net::Ecn::kCe : packet.first_ecn);
    return whole;
}

/// Its pieces go at once, that it was one stays known for as long as more may come.
void Reassembler::refuse(Packets::iterator entry) {
    auto& packet = entry->second;
    const auto freed = packet.cost - kPacketCost;
    packet.cost -= freed;
    shares_[entry->first.party].cost -= freed;
    cost_ -= freed;
    packet.pieces.clear();
    packet.header.clear();
    packet.is_refused = true;
}

void Reassembler::charge(Packets::iterator entry, std::size_t cost) {
    entry->second.cost += cost;
    shares_[entry->first.party].cost += cost;
    cost_ += cost;
}

Reassembler::Packets::iterator Reassembler::erase(Packets::iterator entry) {
    const auto share = shares_.find(entry->first.party);
    share->second.cost -= entry->second.cost;
    cost_ -= entry->second.cost;
    if (--share->second.packets == 0) {
        shares_.erase(share);
    }
    return packets_.erase(entry);
}

// --- Room ---

void Reassembler::make_room(const Party& party) {
    while (has_too_much(party)) {
        erase_oldest_of(party);
    }
    while (cost_ > kReassemblyBytes) {
        erase_all_of_largest();
    }
}

bool Reassembler::has_too_much(const Party& party) const {
    const auto share = shares_.find(party);
    return share != shares_.end() &&
           (share->second.packets > kReassembliesPerParty || share->second.cost > kReassemblyBytesPerParty);
}

void Reassembler::erase_oldest_of(const Party& party) {
    auto oldest = packets_.end();
    for (auto entry = packets_.lower_bound(Key{.party = party, .source = {}, .destination = {}});
         entry != packets_.end() && entry->first.party == party; ++entry) {
        if (oldest == packets_.end() || entry->second.since < oldest->second.since) {
            oldest = entry;
        }
    }
    assert(oldest != packets_.end());
    erase(oldest);
}

/// All at once, so that the search for it is not made for each fragment.
void Reassembler::erase_all_of_largest() {
    const auto largest = std::ranges::max_element(shares_, {}, [](const auto& entry) { return entry.second.cost; });
    const auto party = largest->first;
    while (shares_.contains(party)) {
        erase_oldest_of(party);
    }
}

// --- Time ---

void Reassembler::handle_timeout(Instant now) {
    if (!next_sweep_ || now < *next_sweep_) {
        return;
    }
    next_sweep_.reset();
    for (auto entry = packets_.begin(); entry != packets_.end();) {
        const auto ends_at = entry->second.since + kReassemblyTime;
        if (ends_at <= now) {
            entry = erase(entry);
            continue;
        }
        next_sweep_ = next_sweep_ ? std::min(*next_sweep_, ends_at) : ends_at;
        ++entry;
    }
    if (next_sweep_) {  // a sweep looks at everything, and a flood makes something expire at every instant
        next_sweep_ = std::max(*next_sweep_, now + kReassemblySweepInterval);
    }
}

}  // namespace culvert::packet
