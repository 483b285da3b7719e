#include "tests/model/sockets/test_rig.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace culvert::model {

void TestRig::start() {
    const auto bound = loop.bind_sockets();
    ASSERT_TRUE(bound) << bound.error();
    loop.run(now);
}

void TestRig::submit(const Numbered& content, std::size_t payload) {
    loop.kernel().submit(make_packet(content, payload));
}

void TestRig::deliver(const Numbered& content, std::size_t payload) {
    loop.kernel().deliver(
        {local_of(content.flow), peer_of(content.flow), net::Ecn::kNotEct, make_packet(content, payload)});
}

void TestRig::run_for(Duration duration) {
    const auto end = now + duration;
    loop.kernel().set_now(now);
    while (const auto next = loop.poll_timeout()) {
        if (*next > end) {
            break;
        }
        now = std::max(now, *next);
        loop.run(now);
    }
    now = end;
    collect();
}

void TestRig::turn(Duration cost) {
    loop.turn(now);
    now += cost;
    collect();
}

void TestRig::collect() {
    const auto take = [&](ByteSpan packet, std::vector<Numbered>& into) {
        if (const auto content = read_packet(packet)) {
            into.push_back(*content);
        } else {
            ++others;
        }
    };
    while (const auto datagram = loop.kernel().poll_sent()) {
        take(datagram->payload, sent);
    }
    while (const auto packet = loop.kernel().poll_delivered()) {
        take(*packet, delivered);
    }
}

std::optional<Numbered> find_reordered(const std::vector<Numbered>& packets) {
    std::map<std::uint16_t, std::uint64_t> newest;
    for (const auto& packet : packets) {
        const auto [entry, is_first] = newest.try_emplace(packet.flow, packet.number);
        if (!is_first && packet.number <= entry->second) {
            return packet;
        }
        entry->second = packet.number;
    }
    return std::nullopt;
}

}  // namespace culvert::model
