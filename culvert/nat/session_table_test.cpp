#include "culvert/nat/session_table.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include <gtest/gtest.h>

#include "culvert/base/testing/allocation_counter.h"
#include "culvert/nat/constants.h"
#include "culvert/nat/testing/clients.h"
#include "culvert/packet/constants.h"

namespace culvert::nat {
namespace {

using namespace std::chrono_literals;
using packet::kTcpAck;
using packet::kTcpFin;
using packet::kTcpRst;
using packet::kTcpSyn;
using test::address;
using test::client_id;
using test::Packet;
using test::send;
using test::socket;
using test::tcp;
using test::udp;
using In = SessionTable::In;
using Out = SessionTable::Out;

net::SocketAddress source_of(const Packet& packet) {
    return {packet.view.source(), packet.view.source_port()};
}
net::SocketAddress destination_of(const Packet& packet) {
    return {packet.view.destination(), packet.view.destination_port()};
}

class SessionTableTest : public ::testing::Test {
protected:
    In receive(Packet& packet, std::uint8_t client = 1) {
        return table.translate_in(client_id(client), packet.view, now);
    }

    Instant now = Instant{} + 1h;
    SessionTable table{{}, Rng::from_number(1)};
};

TEST_F(SessionTableTest, TranslatesARequestAndItsAnswer) {
    auto request = udp("100.64.0.1:4000", "100.96.0.1:53");
    ASSERT_TRUE(send(table, 1, request, "10.0.0.1", now));
    EXPECT_EQ(source_of(request), socket("100.64.0.1:4000")) << "the client's own port, which is free";
    EXPECT_EQ(destination_of(request), socket("10.0.0.1:53"));
    EXPECT_TRUE(request.view.checksums_are_valid());

    auto answer = udp("10.0.0.1:53", "100.64.0.1:4000");
    EXPECT_EQ(receive(answer), In::kTranslated);

    EXPECT_EQ(source_of(answer), socket("100.96.0.1:53"));
    EXPECT_EQ(destination_of(answer), socket("100.64.0.1:4000"));
    EXPECT_TRUE(answer.view.checksums_are_valid());
}

TEST_F(SessionTableTest, TranslatesIpv6AndTcpAndEchoes) {
    auto syn = tcp("[fd00:2021:1111::1]:4000", "[fd00:2021:1111:8000::]:443", kTcpSyn);
    ASSERT_TRUE(send(table, 1, syn, "2001:db8::1", now));
    auto syn_ack = tcp("[2001:db8::1]:443", "[fd00:2021:1111::1]:4000", kTcpSyn | kTcpAck);
    EXPECT_EQ(receive(syn_ack), In::kTranslated);
    EXPECT_EQ(source_of(syn_ack), socket("[fd00:2021:1111:8000::]:443"));
    EXPECT_TRUE(syn.view.checksums_are_valid() && syn_ack.view.checksums_are_valid());

    Packet request{packet::make_icmp_echo_request(address("100.64.0.1"), address("100.96.0.2"), 77, 1, {})};
    ASSERT_TRUE(send(table, 1, request, "10.0.0.1", now));
    EXPECT_EQ(request.view.destination(), address("10.0.0.1"));
    Packet reply{packet::make_icmp_echo_reply(address("10.0.0.1"), address("100.64.0.1"), 77, 1, {})};
    EXPECT_EQ(receive(reply), In::kTranslated);
    EXPECT_EQ(reply.view.source(), address("100.96.0.2"));
    EXPECT_EQ(reply.view.destination_value()->value, 77);
    EXPECT_TRUE(reply.view.checksums_are_valid());
}

TEST_F(SessionTableTest, LeavesAloneWhatBelongsToNoSession) {
    auto packet = udp("10.0.0.1:53", "100.64.0.1:4000");
    const auto before = packet.bytes;

    EXPECT_EQ(receive(packet), In::kNotTranslated);
    EXPECT_EQ(packet.bytes, before);

    Packet esp{packet::make_ip(address("10.0.0.1"), address("100.64.0.1"), 50, as_bytes("sealed"))};
    EXPECT_EQ(receive(esp), In::kNotTranslated);
    Packet out{packet::make_ip(address("100.64.0.1"), address("100.96.0.1"), 50, as_bytes("sealed"))};
    EXPECT_EQ(table.translate_out(client_id(1), out.view, now), Out::kUntranslatable);
}

TEST_F(SessionTableTest, NothingButTheClientBeginsASession) {
    for (auto flags : {kTcpRst, static_cast<std::uint8_t>(kTcpSyn | kTcpAck)}) {
        auto packet = tcp("100.64.0.1:4000", "100.96.0.1:443", flags);
        EXPECT_EQ(table.translate_out(client_id(1), packet.view, now), Out::kAnswerToNothing);
    }
    Packet reply{packet::make_icmp_echo_reply(address("100.64.0.1"), address("100.96.0.2"), 77, 1, {})};
    EXPECT_EQ(table.translate_out(client_id(1), reply.view, now), Out::kAnswerToNothing);
    auto running = tcp("100.64.0.1:4000", "100.96.0.1:443", kTcpAck);
    EXPECT_EQ(table.translate_out(client_id(1), running.view, now), Out::kNoSession) << "of before a restart";
}

TEST_F(SessionTableTest, KeepsItsRealAddressForAsLongAsItLives) {
    auto first = udp("100.64.0.1:4000", "100.96.0.1:53");
    ASSERT_TRUE(send(table, 1, first, "10.0.0.1", now));

    auto second = udp("100.64.0.1:4000", "100.96.0.1:53");
    ASSERT_TRUE(send(table, 1, second, "10.0.0.2", now));
    EXPECT_EQ(second.view.destination(), address("10.0.0.1"));
    auto answer = udp("10.0.0.1:53", "100.64.0.1:4000");
    EXPECT_EQ(receive(answer), In::kTranslated);

    auto fresh = udp("100.64.0.1:4001", "100.96.0.1:53");
    ASSERT_TRUE(send(table, 1, fresh, "10.0.0.2", now));
    EXPECT_EQ(fresh.view.destination(), address("10.0.0.2"));
}

TEST_F(SessionTableTest, ANewConnectionBetweenTheSamePortsGoesWhereTheNameIsNow) {
    for (const auto flags : {kTcpSyn, static_cast<std::uint8_t>(kTcpAck | kTcpFin)}) {
        auto packet = tcp("100.64.0.1:4000", "100.96.0.1:443", flags);
        ASSERT_TRUE(send(table, 1, packet, "10.0.0.1", now));
    }
    auto fin = tcp("10.0.0.1:443", "100.64.0.1:4000", kTcpAck | kTcpFin);
    ASSERT_EQ(receive(fin), In::kTranslated);
    auto last = tcp("100.64.0.1:4000", "100.96.0.1:443", kTcpAck);
    ASSERT_TRUE(send(table, 1, last, "10.0.0.2", now));
    EXPECT_EQ(last.view.destination(), address("10.0.0.1"));

    auto syn = tcp("100.64.0.1:4000", "100.96.0.1:443", kTcpSyn);
    ASSERT_TRUE(send(table, 1, syn, "10.0.0.2", now));

    EXPECT_EQ(syn.view.destination(), address("10.0.0.2"));
}

TEST_F(SessionTableTest, TakesAnotherPortIfTwoNamesHaveOneAddress) {
    auto one = udp("100.64.0.1:5000", "100.96.0.1:53");
    auto two = udp("100.64.0.1:5000", "100.96.0.5:53");
    ASSERT_TRUE(send(table, 1, one, "10.0.0.1", now));
    ASSERT_TRUE(send(table, 1, two, "10.0.0.1", now));
    EXPECT_EQ(source_of(one).port, 5000);
    EXPECT_EQ(source_of(two).port, 5001);

    auto to_one = udp("10.0.0.1:53", "100.64.0.1:5000");
    auto to_two = udp("10.0.0.1:53", "100.64.0.1:5001");
    EXPECT_EQ(receive(to_one), In::kTranslated);
    EXPECT_EQ(receive(to_two), In::kTranslated);

    EXPECT_EQ(source_of(to_one), socket("100.96.0.1:53"));
    EXPECT_EQ(source_of(to_two), socket("100.96.0.5:53"));
    EXPECT_EQ(destination_of(to_two), socket("100.64.0.1:5000"));
}

TEST_F(SessionTableTest, PortsBehindTheLastBeginAnew) {
    auto one = udp("100.64.0.1:65535", "100.96.0.1:53");
    auto two = udp("100.64.0.1:65535", "100.96.0.5:53");
    ASSERT_TRUE(send(table, 1, one, "10.0.0.1", now));
    ASSERT_TRUE(send(table, 1, two, "10.0.0.1", now));

    EXPECT_EQ(source_of(two).port, 1);
}

TEST_F(SessionTableTest, FindsAPortHoweverManyAreTakenNearby) {
    std::set<std::uint16_t> ports;
    for (int i = 0; i < 500; ++i) {
        const auto proxy = "100.97." + std::to_string(i / 250) + "." + std::to_string(i % 250) + ":53";
        auto packet = udp("100.64.0.1:5000", proxy);
        ASSERT_TRUE(send(table, 1, packet, "10.0.0.1", now));
        ports.insert(source_of(packet).port);
    }
    EXPECT_EQ(ports.size(), 500U);
}

TEST_F(SessionTableTest, ProtocolsHaveTheirPortsForThemselves) {
    auto datagram = udp("100.64.0.1:5000", "100.96.0.1:53");
    auto syn = tcp("100.64.0.1:5000", "100.96.0.5:53", kTcpSyn);
    ASSERT_TRUE(send(table, 1, datagram, "10.0.0.1", now));
    ASSERT_TRUE(send(table, 1, syn, "10.0.0.1", now));

    EXPECT_EQ(source_of(syn).port, 5000);
    auto answer = tcp("10.0.0.1:53", "100.64.0.1:5000", kTcpSyn | kTcpAck);
    EXPECT_EQ(receive(answer), In::kTranslated);
    EXPECT_EQ(source_of(answer), socket("100.96.0.5:53"));
}

// --- Time ---

struct Lifetime {
    const char* name;
    Duration limit;
    bool is_tcp;
    bool is_established;
};

TEST_F(SessionTableTest, LivesAsLongAsItsProtocolAsks) {
    for (const auto& [name, limit, is_tcp, is_established] :
         {Lifetime{"datagrams", kDatagramIdleTime, false, false},
          Lifetime{"half open", kTransitoryTcpIdleTime, true, false},
          Lifetime{"established", kEstablishedTcpIdleTime, true, true}}) {
        SCOPED_TRACE(name);
        for (const bool is_late : {false, true}) {
            SessionTable fresh{{}, Rng::from_number(1)};
            const auto out = [&](std::uint8_t flags) {
                auto packet =
                    is_tcp ? tcp("100.64.0.1:4000", "100.96.0.1:53", flags) : udp("100.64.0.1:4000", "100.96.0.1:53");
                return send(fresh, 1, packet, "10.0.0.1", now);
            };
            const auto in = [&](std::uint8_t flags) {
                auto packet =
                    is_tcp ? tcp("10.0.0.1:53", "100.64.0.1:4000", flags) : udp("10.0.0.1:53", "100.64.0.1:4000");
                return fresh.translate_in(client_id(1), packet.view, now);
            };
            EXPECT_TRUE(out(kTcpSyn));
            if (is_established) {
                EXPECT_EQ(in(kTcpSyn | kTcpAck), In::kTranslated);
                EXPECT_TRUE(out(kTcpAck));
            }
            now += is_late ? limit + kTimeResolution : limit - 1ms;
            EXPECT_EQ(in(kTcpAck), is_late ? In::kLate : In::kTranslated);
        }
    }
}

TEST_F(SessionTableTest, EitherSideKeepsItAlive) {
    auto request = udp("100.64.0.1:4000", "100.96.0.1:53");
    ASSERT_TRUE(send(table, 1, request, "10.0.0.1", now));
    for (int i = 0; i < 10; ++i) {
        now += 100s;
        auto download = udp("10.0.0.1:53", "100.64.0.1:4000");
        ASSERT_EQ(receive(download), In::kTranslated) << i;
    }
}

TEST_F(SessionTableTest, WhatComesTooLateIsNotTakenForSomethingElse) {
    auto request = udp("100.64.0.1:4000", "100.96.0.1:53");
    ASSERT_TRUE(send(table, 1, request, "10.0.0.1", now));
    now += 130s;
    for (int i = 0; i < 3; ++i) {
        auto late = udp("10.0.0.1:53", "100.64.0.1:4000");
        const auto before = late.bytes;
        EXPECT_EQ(receive(late), In::kLate);
        EXPECT_EQ(late.bytes, before);
    }
    auto again = udp("100.64.0.1:4000", "100.96.0.1:53");
    EXPECT_EQ(table.translate_out(client_id(1), again.view, now), Out::kNoSession);
    ASSERT_TRUE(send(table, 1, again, "10.0.0.9", now));
    EXPECT_EQ(again.view.destination(), address("10.0.0.9")) << "a new session goes where the name is now";
}

TEST_F(SessionTableTest, APortIsFreeAgainOnceItsSessionIsOver) {
    auto one = udp("100.64.0.1:5000", "100.96.0.1:53");
    ASSERT_TRUE(send(table, 1, one, "10.0.0.1", now));
    now += 130s;
    auto two = udp("100.64.0.1:5000", "100.96.0.5:53");
    ASSERT_TRUE(send(table, 1, two, "10.0.0.1", now));
    EXPECT_EQ(source_of(two).port, 5000);

    auto answer = udp("10.0.0.1:53", "100.64.0.1:5000");
    EXPECT_EQ(receive(answer), In::kTranslated);
    EXPECT_EQ(source_of(answer), socket("100.96.0.5:53"));
    EXPECT_EQ(table.size(), 1U);
}

TEST_F(SessionTableTest, AResetOfEitherSideEndsIt) {
    for (const bool is_clients : {true, false}) {
        const std::string port = is_clients ? "4000" : "4001";
        const auto out = [&](std::uint8_t flags) {
            auto packet = tcp("100.64.0.1:" + port, "100.96.0.1:443", flags);
            return send(table, 1, packet, "10.0.0.1", now);
        };
        const auto in = [&](std::uint8_t flags) {
            auto packet = tcp("10.0.0.1:443", "100.64.0.1:" + port, flags);
            return receive(packet);
        };
        EXPECT_TRUE(out(kTcpSyn));
        EXPECT_EQ(in(kTcpSyn | kTcpAck), In::kTranslated);
        EXPECT_TRUE(is_clients ? out(kTcpRst) : in(kTcpRst) == In::kTranslated) << "it is still delivered";

        EXPECT_EQ(in(kTcpAck), In::kLate);
        EXPECT_FALSE(out(kTcpRst));
    }
}

TEST_F(SessionTableTest, AConnectionThatBothHaveFinishedIsSoonOver) {
    const auto out = [&](std::uint8_t flags) {
        auto packet = tcp("100.64.0.1:4000", "100.96.0.1:443", flags);
        EXPECT_TRUE(send(table, 1, packet, "10.0.0.1", now));
    };
    const auto in = [&](std::uint8_t flags) {
        auto packet = tcp("10.0.0.1:443", "100.64.0.1:4000", flags);
        return receive(packet);
    };
    out(kTcpSyn);
    in(kTcpSyn | kTcpAck);
    out(kTcpAck | kTcpFin);
    now += 1h;
    EXPECT_EQ(in(kTcpAck), In::kTranslated) << "half closed is not over";
    in(kTcpAck | kTcpFin);
    out(kTcpAck);

    now += 5min;
    EXPECT_EQ(in(kTcpAck), In::kLate);
}

// --- Who is who ---

TEST_F(SessionTableTest, ClientsHaveNothingToDoWithEachOther) {
    auto one = udp("100.64.0.1:5000", "100.96.0.1:53");
    auto two = udp("100.64.0.2:5000", "100.96.0.1:53");
    ASSERT_TRUE(send(table, 1, one, "10.0.0.1", now));
    ASSERT_TRUE(send(table, 2, two, "10.0.0.2", now));
    EXPECT_EQ(one.view.destination(), address("10.0.0.1"));
    EXPECT_EQ(two.view.destination(), address("10.0.0.2"));
    EXPECT_EQ(source_of(two).port, 5000);

    auto foreign = udp("10.0.0.1:53", "100.64.0.2:5000");
    EXPECT_EQ(receive(foreign, 2), In::kNotTranslated);
}

TEST_F(SessionTableTest, AnAddressThatChangesHandsTakesNoSessionsAlong) {
    auto request = udp("100.64.0.1:5000", "100.96.0.1:53");
    ASSERT_TRUE(send(table, 1, request, "10.0.0.1", now));

    auto answer = udp("10.0.0.1:53", "100.64.0.1:5000");
    EXPECT_EQ(receive(answer, 2), In::kNotTranslated);
    auto other = udp("100.64.0.1:5000", "100.96.0.1:53");
    EXPECT_EQ(table.translate_out(client_id(2), other.view, now), Out::kNoSession);
    ASSERT_TRUE(send(table, 2, other, "10.0.0.1", now));

    EXPECT_EQ(source_of(other).port, 5000);
    auto again = udp("10.0.0.1:53", "100.64.0.1:5000");
    EXPECT_EQ(receive(again, 2), In::kTranslated);
    EXPECT_EQ(table.size(client_id(1)), 0U);
}

TEST_F(SessionTableTest, ForgetsAClientOrSomeOfItsProxies) {
    for (const auto* proxy : {"100.96.0.1:53", "100.96.0.2:53"}) {
        auto packet = udp("100.64.0.1:5000", proxy);
        ASSERT_TRUE(send(table, 1, packet, proxy[9] == '1' ? "10.0.0.1" : "10.0.0.2", now));
        auto of_other = udp("100.64.0.2:5000", proxy);
        ASSERT_TRUE(send(table, 2, of_other, "10.0.0.1", now));
    }
    table.finish_proxies(client_id(1), [](const auto& proxy) { return proxy == address("100.96.0.1"); }, now);
    auto gone = udp("10.0.0.1:53", "100.64.0.1:5000");
    auto kept = udp("10.0.0.2:53", "100.64.0.1:5000");
    EXPECT_EQ(receive(gone), In::kLate);
    EXPECT_EQ(receive(kept), In::kTranslated);

    table.finish_client(client_id(1), now);

    auto late = udp("10.0.0.2:53", "100.64.0.1:5000");
    EXPECT_EQ(receive(late), In::kLate);
    auto of_other = udp("10.0.0.1:53", "100.64.0.2:5000");
    EXPECT_EQ(receive(of_other, 2), In::kTranslated);
}

TEST_F(SessionTableTest, KeepsThePortOfWhatIsOverFromOtherProxies) {
    auto first = udp("100.64.0.1:5000", "100.96.0.1:53");
    ASSERT_TRUE(send(table, 1, first, "10.0.0.1", now));
    table.finish_proxies(client_id(1), [](const auto&) { return true; }, now);

    auto other = udp("100.64.0.1:5000", "100.96.0.2:53");
    ASSERT_TRUE(send(table, 1, other, "10.0.0.1", now));
    EXPECT_EQ(source_of(other).port, 5001) << "its answers could not be told from those to the first";

    auto again = udp("100.64.0.1:5000", "100.96.0.1:53");
    ASSERT_TRUE(send(table, 1, again, "10.0.0.1", now));
    EXPECT_EQ(source_of(again).port, 5000);

    table.finish_proxies(client_id(1), [](const auto&) { return true; }, now);
    now += kLateTime + kTimeResolution;
    auto later = udp("100.64.0.1:5000", "100.96.0.3:53");
    ASSERT_TRUE(send(table, 1, later, "10.0.0.1", now));
    EXPECT_EQ(source_of(later).port, 5000);
}

// --- The dumbest possible model ---

TEST(SessionTableModel, AgreesWithALinearSearch) {
    struct Open {
        int client;
        std::uint16_t inside;
        net::IpAddress proxy;
        std::uint16_t outside;
        net::IpAddress real;
        Instant used_at;
    };
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        auto rng = Rng::from_number(seed);
        SessionTable table{{}, Rng::from_number(seed + 1000)};
        std::vector<Open> model;
        Instant now = Instant{} + 1h;
        const auto ip = [](std::uint8_t a, std::uint8_t b, std::uint64_t last) {
            return net::IpAddress{std::array<std::uint8_t, 4>{a, b, 0, static_cast<std::uint8_t>(last)}};
        };
        for (int step = 0; step < 4000; ++step) {
            now += Duration{std::chrono::seconds{rng.below(3)}};
            const auto client = static_cast<int>(1 + rng.below(3));
            const auto client_ip = ip(100, 64, static_cast<std::uint64_t>(client));
            const auto is_alive = [&](const Open& open) { return now - open.used_at < kDatagramIdleTime; };
            const auto is_in_between = [&](const Open& open) {
                return !is_alive(open) && now - open.used_at < kDatagramIdleTime + 2 * kTimeResolution;
            };
            std::erase_if(model, [&](const Open& open) { return !is_alive(open) && !is_in_between(open); });
            if (std::ranges::any_of(model, is_in_between)) {
                continue;  // either is right
            }
            if (rng.below(2) == 0) {
                const auto proxy = ip(100, 96, 1 + rng.below(6));
                const auto port = static_cast<std::uint16_t>(5000 + rng.below(4));
                const auto real = ip(10, 0, 1 + rng.below(2));
                Packet packet{packet::make_udp({client_ip, port}, {proxy, 53}, {})};
                const auto known = std::ranges::find_if(model, [&](const Open& open) {
                    return open.client == client && open.inside == port && open.proxy == proxy;
                });
                ASSERT_TRUE(send(table, static_cast<std::uint8_t>(client), packet, real.to_string(), now));
                if (known != model.end()) {
                    ASSERT_EQ(packet.view.destination(), known->real);
                    ASSERT_EQ(packet.view.source_port(), known->outside);
                    known->used_at = now;
                } else {
                    const auto outside = packet.view.source_port();
                    ASSERT_EQ(packet.view.destination(), real);
                    ASSERT_TRUE(std::ranges::none_of(model, [&](const Open& open) {
                        return open.client == client && open.outside == outside && open.real == real;
                    })) << "two sessions look the same from outside";
                    model.push_back({client, port, proxy, outside, real, now});
                }
            } else {
                const auto real = ip(10, 0, 1 + rng.below(2));
                const auto port = static_cast<std::uint16_t>(5000 + rng.below(12));
                Packet packet{packet::make_udp({real, 53}, {client_ip, port}, {})};
                const auto known = std::ranges::find_if(model, [&](const Open& open) {
                    return open.client == client && open.outside == port && open.real == real;
                });
                const auto result = table.translate_in(client_id(static_cast<std::uint8_t>(client)), packet.view, now);
                ASSERT_EQ(result == In::kTranslated, known != model.end()) << "seed " << seed << " step " << step;
                if (known != model.end()) {
                    ASSERT_EQ(packet.view.source(), known->proxy);
                    ASSERT_EQ(packet.view.destination_port(), known->inside);
                    known->used_at = now;
                }
            }
        }
    }
}

// --- The hot path ---

TEST_F(SessionTableTest, AllocatesNothingForARunningSession) {
    auto syn = tcp("100.64.0.1:4000", "100.96.0.1:443", kTcpSyn);
    ASSERT_TRUE(send(table, 1, syn, "10.0.0.1", now));
    auto out = tcp("100.64.0.1:4000", "100.96.0.1:443", kTcpAck);
    auto in = tcp("10.0.0.1:443", "100.64.0.1:4000", kTcpAck);
    const auto id = client_id(1);
    const auto proxy = address("100.96.0.1");
    const auto real = address("10.0.0.1");
    const auto before = testing_support::allocations.load();
    bool are_all_translated = true;

    for (int i = 0; i < 1000; ++i) {
        now += 10ms;
        are_all_translated = are_all_translated && table.translate_out(id, out.view, now) == Out::kTranslated &&
                             table.translate_in(id, in.view, now) == In::kTranslated;
        out.view.set_destination(proxy);
        in.view.set_source(real);
    }

    EXPECT_EQ(testing_support::allocations.load(), before);
    EXPECT_TRUE(are_all_translated);
}

}  // namespace
}  // namespace culvert::nat
