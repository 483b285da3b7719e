#include "culvert/turn/server/allocation_ranking.h"

#include <algorithm>
#include <chrono>
#include <map>

#include <gtest/gtest.h>

#include "culvert/base/rng.h"
#include "culvert/turn/server/source_shares.h"

namespace culvert::turn {
namespace {

using namespace std::chrono_literals;

const Instant kStart{};

net::SocketAddress at(std::string_view text) {
    return *net::SocketAddress::parse(text);
}
const net::IpAddress& source() {
    static const auto address = *net::IpAddress::parse("198.51.100.1");
    return address;
}

TEST(AllocationRanking, AnUnusedOneGoesBeforeAUsedOneWhateverTheUsersAreCalled) {
    AllocationRanking ranking;
    ranking.add(at("198.51.100.1:2"), "zoe", kStart);
    ranking.add(at("198.51.100.1:1"), "alice", kStart + 1s);

    ranking.set_used(at("198.51.100.1:2"), true);
    EXPECT_EQ(ranking.least_useful(source()), at("198.51.100.1:1"));

    ranking.set_used(at("198.51.100.1:2"), false);
    EXPECT_EQ(ranking.least_useful(source()), at("198.51.100.1:2")) << "the older one";
    ranking.set_heard_at(at("198.51.100.1:2"), kStart + 2s);
    EXPECT_EQ(ranking.least_useful(source()), at("198.51.100.1:1"));
}

TEST(AllocationRanking, WhoHasTwoInOnePlaceCanSpareOne) {
    AllocationRanking ranking;
    ranking.add(at("198.51.100.1:1"), "alice", kStart);
    ranking.add(at("198.51.100.1:2"), "bob", kStart + 1s);
    ranking.add(at("198.51.100.1:3"), "bob", kStart + 2s);
    ranking.add(at("198.51.100.2:4"), "alice", kStart);
    ranking.set_used(at("198.51.100.1:2"), true);
    ranking.set_used(at("198.51.100.1:3"), true);

    EXPECT_EQ(ranking.least_useful(source()), at("198.51.100.1:2"));
    ranking.remove(at("198.51.100.1:2"));
    EXPECT_EQ(ranking.least_useful(source()), at("198.51.100.1:1"));
}

TEST(AllocationRanking, AgreesWithLookingAtEverything) {
    struct Known {
        std::string user;
        bool is_used;
        Instant heard_at;
    };
    auto rng = Rng::from_number(5);
    AllocationRanking ranking;
    std::map<net::SocketAddress, Known> all;
    for (int i = 0; i < 5000; ++i) {
        const auto client = at("198.51.100." + std::to_string(rng.below(3)) + ":" + std::to_string(1 + rng.below(6)));
        const auto now = kStart + std::chrono::seconds{i};
        const auto known = all.find(client);
        if (known == all.end()) {
            all[client] = {std::string(1, static_cast<char>('a' + rng.below(3))), false, now};
            ranking.add(client, all[client].user, now);
        } else if (const auto dice = rng.below(3); dice == 0) {
            all.erase(known);
            ranking.remove(client);
        } else if (dice == 1) {
            known->second.is_used = rng.below(2) == 0;
            ranking.set_used(client, known->second.is_used);
        } else {
            known->second.heard_at = now;
            ranking.set_heard_at(client, now);
        }

        std::map<net::IpAddress, std::tuple<bool, bool, Instant, net::SocketAddress>> least;
        for (const auto& [whose, what] : all) {
            const auto number = std::ranges::count_if(
                all, [&](const auto& other) { return other.first.ip == whose.ip && other.second.user == what.user; });
            const std::tuple rank{number == 1, what.is_used, what.heard_at, whose};
            const auto [entry, is_first] = least.try_emplace(whose.ip, rank);
            entry->second = std::min(entry->second, rank);
        }
        for (const auto& [address, rank] : least) {
            ASSERT_EQ(ranking.least_useful(address), std::get<3>(rank)) << "step " << i;
        }
    }
}

}  // namespace
}  // namespace culvert::turn
