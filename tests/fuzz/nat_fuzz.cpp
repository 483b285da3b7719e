// The gateway's translation among clients and resources that send what they like: whatever is opened, goes on, is
// reset or comes too late, no client meets another's packets, and no name another's address.

#include <array>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <span>
#include <tuple>

#include "culvert/nat/session_table.h"
#include "culvert/packet/builder.h"
#include "culvert/packet/icmp_error.h"
#include "input.h"

namespace {

using namespace culvert;
using namespace culvert::nat;
using namespace std::chrono_literals;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

using fuzz::Input;

class World {
public:
    void step(Input& input) {
        const auto client = static_cast<std::uint8_t>(1 + input.u8() % 4);
        const bool is_v4 = input.u8() % 2 == 0;
        switch (input.u8() % 8) {
            case 0:
            case 1:
            case 2:
                send(client, is_v4, input);
                break;
            case 3:
            case 4:
                receive(client, is_v4, input);
                break;
            case 5:
                complain(client, is_v4, input);
                break;
            case 6:
                now_ += input.u8() * 1s;
                break;
            default:
                if (input.u8() % 8 == 0) {
                    table_.finish_client(id(client), now_);
                }
                break;
        }
        require(table_.size() <= 60 && table_.size(id(client)) <= 25);
    }

private:
    /// Client, whether IPv4, protocol, port as the resource sees it, last byte of its address: to which proxy IP and
    /// port of the client it belongs.
    using Outside = std::tuple<std::uint8_t, bool, packet::L4Protocol, std::uint16_t, net::IpAddress>;
    using Inside = std::pair<net::IpAddress, std::uint16_t>;

    static ClientId id(std::uint8_t client) { return ClientId{Uuid{std::array<std::uint8_t, 16>{client}}}; }
    static net::IpAddress address(bool is_v4, std::uint8_t kind, std::uint8_t last) {
        return is_v4 ? net::IpAddress{std::array<std::uint8_t, 4>{100, kind, 0, last}}
                     : net::IpAddress{
                           std::array<std::uint8_t, 16>{0xfd, kind, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last}};
    }
    static Bytes make(const net::IpAddress& from, const net::IpAddress& to, Input& input) {
        const auto port =
            static_cast<std::uint16_t>(input.u8() % 4 == 0 ? 65533 + input.u8() % 3 : 5000 + input.u8() % 4);
        switch (input.u8() % 4) {
            case 0:
                return packet::make_tcp({from, port}, {to, port}, {.flags = input.u8()}, {});
            case 1:
                return packet::make_icmp_echo_request(from, to, port, 1, {});
            case 2:
                return packet::make_icmp(from, to, input.u8(), input.u8() % 4, input.u8(), Bytes(input.u8()));
            default:
                return packet::make_udp({from, port}, {to, port}, {});
        }
    }

    void send(std::uint8_t client, bool is_v4, Input& input) {
        const auto proxy = address(is_v4, 96, input.u8() % 6);
        const auto real = address(is_v4, 10, input.u8() % 2);
        auto bytes = make(address(is_v4, 64, client), proxy, input);
        auto packet = packet::IpPacket::parse(bytes);
        if (!packet) {
            return;
        }
        const auto inside = packet->source_value();
        const auto result = table_.translate_out(id(client), *packet, now_);
        if (result == SessionTable::Out::kNoSession) {
            require(inside.has_value());
            if (!table_.open(id(client), *packet, real, now_)) {
                return;
            }
            require(packet->destination() == real);
        } else if (result != SessionTable::Out::kTranslated) {
            require(packet->destination() == proxy);
            return;
        }
        require(packet->checksums_are_valid());
        const auto outside = packet->source_value();
        known_[{client, is_v4, outside->protocol, outside->value, packet->destination()}] = {proxy, inside->value};
    }

    void receive(std::uint8_t client, bool is_v4, Input& input) {
        const auto real = address(is_v4, 10, input.u8() % 3);
        auto bytes = make(real, address(is_v4, 64, client), input);
        auto packet = packet::IpPacket::parse(bytes);
        if (!packet) {
            return;
        }
        const auto before = bytes;
        const auto outside = packet->destination_value();
        if (table_.translate_in(id(client), *packet, now_) != SessionTable::In::kTranslated) {
            require(bytes == before);
            return;
        }
        require(packet->checksums_are_valid());
        const auto known = known_.find({client, is_v4, outside->protocol, outside->value, real});
        require(known != known_.end() && known->second == Inside{packet->source(), packet->destination_value()->value});
    }

    void complain(std::uint8_t client, bool is_v4, Input& input) {
        const auto own = address(is_v4, 64, client);
        const bool is_inward = input.u8() % 2 == 0;
        const auto other = address(is_v4, is_inward ? 10 : 96, input.u8() % 6);
        auto embedded = is_inward ? make(own, other, input) : make(other, own, input);
        embedded.resize(embedded.size() - std::min<std::size_t>(input.u8() % 16, embedded.size()));
        auto bytes = packet::make_icmp(is_inward ? other : own, is_inward ? own : other, is_v4 ? 3 : 1, 3, 0, embedded);
        const auto packet = packet::IpPacket::parse(bytes);
        if (!packet) {
            return;
        }
        const auto error = packet::inspect_icmp_error(*packet);
        if (!error || !*error) {
            return;
        }
        auto translated = is_inward ? table_.translate_error_in(id(client), **error, now_).packet
                                    : table_.translate_error_out(id(client), *packet, **error, now_).value_or(Bytes{});
        if (!translated.empty()) {
            const auto result = packet::IpPacket::parse(translated);
            require(result && result->checksums_are_valid());
            require(packet::inspect_icmp_error(*result).value().has_value());
        }
    }

    Instant now_ = Instant{} + 1h;
    SessionTable table_{{.total = 60, .per_client = 25}, Rng::from_number(1)};
    std::map<Outside, Inside> known_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input{data, size};
    World world;
    for (int steps = 0; !input.empty() && steps < 2000; ++steps) {
        world.step(input);
    }
    return 0;
}
