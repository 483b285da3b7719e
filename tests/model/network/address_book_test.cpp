#include "tests/model/network/address_book.h"

#include <set>
#include <stdexcept>

#include <gtest/gtest.h>

#include "culvert/base/testing/repetitions.h"
#include "culvert/net/ip_network.h"
#include "tests/model/network/host.h"

namespace culvert::model {
namespace {

Host make_host() {
    return {.device = ClientNo{1},
            .up = Link{Rng::from_number(1)},
            .down = Link{Rng::from_number(2)},
            .latency = {},
            .addresses = {},
            .segment = {}};
}

void expect_distinct_addresses(AddressRange range, std::string_view network, int count) {
    AddressBook book;
    auto host = make_host();
    const auto expected = net::IpNetwork::parse(network).value();
    std::set<net::IpAddress> issued;

    for (int i = 0; i < count; ++i) {
        const auto address = book.issue(range, host);
        ASSERT_TRUE(expected.contains(address)) << address.to_string();
        ASSERT_TRUE(issued.insert(address).second) << address.to_string();
    }
}

TEST(AddressBook, IssuesEveryAddressOnce) {
    expect_distinct_addresses(AddressRange::kPublicV4, "198.18.0.0/15", repetitions(130'048));
    expect_distinct_addresses(AddressRange::kPrivateV4, "192.168.0.0/16", repetitions(65'024));
    expect_distinct_addresses(AddressRange::kRelayV4, "203.0.113.0/24", 254);
    expect_distinct_addresses(AddressRange::kPublicV6, "2001:db8:c0::/42", repetitions(100'000));
    expect_distinct_addresses(AddressRange::kRelayV6, "2001:db8:3478::/48", 1000);
}

TEST(AddressBook, SaysWhenARangeIsUsedUp) {
    AddressBook book;
    auto host = make_host();
    for (int i = 0; i < 254; ++i) {
        book.issue(AddressRange::kRelayV4, host);
    }

    EXPECT_THROW(book.issue(AddressRange::kRelayV4, host), std::length_error);
}

TEST(AddressBook, RemembersWhoHadAnAddress) {
    AddressBook book;
    auto host = make_host();
    const auto address = book.issue(AddressRange::kPublicV4, host);
    EXPECT_EQ(book.find(address)->host, &host);

    book.retire(address);

    EXPECT_TRUE(book.find(address)->is_stale());
    EXPECT_EQ(book.find(net::IpAddress{}), nullptr);
}

}  // namespace
}  // namespace culvert::model
