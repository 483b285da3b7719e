// Requests and their checks: spec/relay.md sections 2 to 4, 15.1 and 15.2.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/turn/server/server_fixture.h"

namespace culvert::turn::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const auto kAlice = at("198.51.100.1:1000");
const auto kBob = at("198.51.100.2:2000");

stun::Message parse(const SendMessage* response) {
    return *stun::Message::parse(response->payload);
}

TEST(ServerRequests, BindingReflectsTheSourceUnsigned) {
    Relay relay;

    for (const auto& client : {kAlice, at("[2001:db8::7]:9")}) {
        const auto commands = relay.receive(relay.encode_anonymous({.method = Method::kBinding}), client);

        ASSERT_NE(Relay::only_response(commands), nullptr);
        const auto message = parse(Relay::only_response(commands));
        EXPECT_TRUE(message.is(Class::kSuccess, Method::kBinding));
        EXPECT_EQ(message.address(AttributeType::kXorMappedAddress), client);
        EXPECT_FALSE(message.has_integrity());
    }
}

TEST(ServerRequests, AllocateGrantsTheRequestedLifetime) {
    for (const std::uint32_t lifetime : {1U, 599U, 3599U}) {
        Relay relay;

        const auto commands = relay.request(allocate(lifetime), kAlice);

        ASSERT_EQ(Relay::code(commands), 0);
        EXPECT_EQ(parse(Relay::only_response(commands)).u32(AttributeType::kLifetime), lifetime);
        EXPECT_TRUE(relay.is_signed(commands));
        EXPECT_EQ(relay.server.poll_timeout(), relay.now + std::chrono::seconds{lifetime});
    }
}

TEST(ServerRequests, AllocateCapsTheLifetime) {
    Relay relay;

    const auto commands = relay.request(allocate(10'000'000), kAlice);

    EXPECT_EQ(parse(Relay::only_response(commands)).u32(AttributeType::kLifetime), 3600U);
}

TEST(ServerRequests, AllocateWithoutCredentialsIsChallengedUnsigned) {
    Relay relay;

    const auto commands = relay.receive(relay.encode_anonymous(allocate()), kAlice);

    EXPECT_EQ(Relay::code(commands), 401);
    const auto message = parse(Relay::only_response(commands));
    EXPECT_FALSE(message.has_integrity());
    EXPECT_EQ(message.text(AttributeType::kRealm), "firezone");
    const std::string nonce{*message.text(AttributeType::kNonce)};
    EXPECT_EQ(Relay::code(relay.receive(relay.encode(allocate(), nonce), kAlice)), 0);
}

TEST(ServerRequests, RefreshReplacesTheExpiry) {
    Relay relay;
    relay.request(allocate(100), kAlice);
    relay.advance(50s);

    const auto commands = relay.request(refresh(70), kAlice);

    EXPECT_EQ(parse(Relay::only_response(commands)).u32(AttributeType::kLifetime), 70U);
    EXPECT_EQ(relay.server.poll_timeout(), relay.now + 70s);
    relay.advance(69s);
    EXPECT_THAT(relay.time_out(), IsEmpty());
    EXPECT_EQ(relay.server.allocations(), 1U);
}

TEST(ServerRequests, RefreshWithoutLifetimeGrantsTheDefault) {
    Relay relay;
    relay.request(allocate(3600), kAlice);

    const auto commands = relay.request(refresh(), kAlice);

    EXPECT_EQ(parse(Relay::only_response(commands)).u32(AttributeType::kLifetime), 600U);
}

TEST(ServerRequests, RefreshToZeroDeletesAtOnce) {
    Relay relay{with_ports(only_v4(), 50000, 50000)};
    relay.request(allocate(100), kAlice);
    relay.advance(50s);

    const auto commands = relay.request(refresh(0), kAlice);

    ASSERT_EQ(commands.size(), 2U);
    EXPECT_EQ(commands[0], (Command{FreeAllocation{50000, net::Family::kIpv4}}));
    EXPECT_EQ(parse(Relay::only_response(commands)).u32(AttributeType::kLifetime), 0U);
    relay.advance(100s);
    EXPECT_THAT(relay.time_out(), IsEmpty());
    EXPECT_EQ(relay.server.poll_timeout(), std::nullopt);
}

TEST(ServerRequests, RefreshToZeroDeletesChannelsFirst) {
    Relay relay{with_ports(only_v4(), 50000, 50000)};
    relay.request(allocate(), kAlice);
    relay.request(bind(0x4001, "192.0.2.2:22"), kAlice);
    relay.request(bind(0x4000, "192.0.2.1:11"), kAlice);

    const auto commands = relay.request(refresh(0), kAlice);

    EXPECT_EQ(relay.server.bound_channels(), 0U);
    EXPECT_THAT(Relay::effects(commands),
                ElementsAre(Command{DeleteChannelBinding{kAlice, 0x4000, at("192.0.2.1:11"), 50000}},
                            Command{DeleteChannelBinding{kAlice, 0x4001, at("192.0.2.2:22"), 50000}},
                            Command{FreeAllocation{50000, net::Family::kIpv4}}));
    EXPECT_TRUE(std::holds_alternative<SendMessage>(commands.back()));
}

TEST(ServerRequests, SelectsAddressFamilies) {
    struct Case {
        ServerConfig config;
        std::optional<net::Family> requested;
        std::optional<net::Family> additional;
        int code;
        std::vector<net::IpAddress> relayed;
    };
    constexpr auto kV4 = net::Family::kIpv4;
    constexpr auto kV6 = net::Family::kIpv6;
    const std::vector<Case> cases{
        {dual_stack(), kV4, kV6, 400, {}},
        {only_v4(), kV4, kV6, 400, {}},
        {dual_stack(), std::nullopt, kV4, 400, {}},
        {only_v4(), std::nullopt, kV4, 400, {}},
        {only_v6(), std::nullopt, kV4, 400, {}},
        {only_v4(), std::nullopt, std::nullopt, 0, {kPublicV4}},
        {only_v4(), kV4, std::nullopt, 0, {kPublicV4}},
        {dual_stack(), kV4, std::nullopt, 0, {kPublicV4}},
        {dual_stack(), kV6, std::nullopt, 0, {kPublicV6}},
        {only_v6(), kV6, std::nullopt, 0, {kPublicV6}},
        {dual_stack(), std::nullopt, kV6, 0, {kPublicV4, kPublicV6}},
        {only_v4(), std::nullopt, kV6, 0, {kPublicV4}},
        {only_v6(), std::nullopt, kV6, 0, {kPublicV6}},
        {only_v6(), std::nullopt, std::nullopt, 440, {}},
        {only_v6(), kV4, std::nullopt, 440, {}},
        {only_v4(), kV6, std::nullopt, 440, {}},
    };
    for (std::size_t i = 0; i < cases.size(); ++i) {
        const auto& c = cases[i];
        Relay relay{with_ports(c.config, 50000, 50000)};
        auto spec = allocate();
        spec.requested_family = c.requested;
        spec.additional_family = c.additional;

        const auto commands = relay.request(spec, kAlice);

        ASSERT_EQ(Relay::code(commands), c.code) << "case " << i;
        EXPECT_TRUE(relay.is_signed(commands)) << "case " << i;
        std::vector<net::SocketAddress> relayed;
        std::vector<Command> created;
        for (const auto& address : c.relayed) {
            relayed.push_back({address, 50000});
            created.emplace_back(CreateAllocation{50000, address.family()});
        }
        EXPECT_EQ(parse(Relay::only_response(commands)).addresses(AttributeType::kXorRelayedAddress), relayed)
            << "case " << i;
        EXPECT_EQ(Relay::effects(commands), created) << "case " << i;
    }
}

TEST(ServerRequests, NonceServesItsBudgetOfRequests) {
    Relay relay;
    const auto nonce = relay.server.make_nonce(kAlice, relay.now).to_string();
    const RequestSpec spec{.method = Method::kCreatePermission};
    relay.advance(10ms);
    for (std::uint32_t i = 0; i < kNonceBudget; ++i) {
        ASSERT_EQ(Relay::code(relay.receive(relay.encode(spec, nonce), kAlice)), 0) << i;
    }

    const auto last = relay.receive(relay.encode(spec, nonce), kAlice);

    EXPECT_EQ(Relay::code(last), 438);
    EXPECT_TRUE(relay.is_signed(last));
    EXPECT_EQ(Relay::code(relay.request(spec, kAlice)), 0) << "with a new one";
    const auto bobs = relay.server.make_nonce(kBob, relay.now - 5ms).to_string();
    relay.username = std::to_string(1'763'001'000) + ":bob";
    EXPECT_EQ(Relay::code(relay.receive(relay.encode(spec, bobs), kBob)), 0) << "nobody else's is used up";
}

TEST(ServerRequests, NonceIsForTheAddressThatGotIt) {
    Relay relay;
    const auto alices = relay.encode(allocate());

    const auto commands = relay.receive(alices, kBob);

    ASSERT_EQ(Relay::code(commands), 438);
    EXPECT_TRUE(relay.is_signed(commands));
    EXPECT_EQ(relay.server.allocations(), 0U);
    const std::string bobs{*parse(Relay::only_response(commands)).text(AttributeType::kNonce)};
    EXPECT_EQ(Relay::code(relay.receive(relay.encode(allocate(), bobs), kBob)), 0) << "a NAT that changed the address";
}

TEST(ServerRequests, NonceExpires) {
    Relay relay;
    relay.username = "9999999999:salt";
    const auto nonce = relay.server.make_nonce(kAlice, relay.now).to_string();

    relay.advance(kNonceLifetime);
    EXPECT_EQ(Relay::code(relay.receive(relay.encode(allocate(), nonce), kAlice)), 0);
    relay.advance(1ms);
    EXPECT_EQ(Relay::code(relay.receive(relay.encode(refresh(), nonce), kAlice)), 438);
}

TEST(ServerRequests, UnknownNonceIsAnsweredWithANewOne) {
    Relay relay;

    const auto commands = relay.receive(relay.encode(allocate(), "00000000-0000-0000-0000-000000000001"), kAlice);

    ASSERT_EQ(Relay::code(commands), 438);
    const std::string nonce{*parse(Relay::only_response(commands)).text(AttributeType::kNonce)};
    EXPECT_EQ(Relay::code(relay.receive(relay.encode(allocate(), nonce), kAlice)), 0);
}

TEST(ServerRequests, NonceThatIsNoUuidIsUnauthorized) {
    Relay relay;

    EXPECT_EQ(Relay::code(relay.receive(relay.encode(allocate(), "hello"), kAlice)), 401);
}

TEST(ServerRequests, CredentialsOfAnotherSecretAreRefusedSigned) {
    Relay relay;
    const auto servers_key = relay.signing_key();
    relay.key = relay_key(*RelayUsername::parse(relay.username), std::string(64, '0'));

    const auto commands = relay.request(allocate(), kAlice);

    EXPECT_EQ(Relay::code(commands), 401);
    EXPECT_FALSE(relay.is_signed(commands));
    relay.key = servers_key;
    EXPECT_TRUE(relay.is_signed(commands));
    EXPECT_EQ(relay.server.allocations(), 0U);
}

TEST(ServerRequests, CredentialsOfAnEarlierRelayAreRefused) {
    Relay before;
    Relay after{dual_stack(), std::string(64, 'a')};

    const auto stale = after.receive(before.encode(allocate(), "11111111-0000-0000-0000-000000000001"), kAlice);
    const std::string nonce{*parse(Relay::only_response(stale)).text(AttributeType::kNonce)};

    EXPECT_EQ(Relay::code(stale), 438);
    EXPECT_FALSE(before.is_signed(stale));
    EXPECT_EQ(Relay::code(after.receive(before.encode(allocate(), nonce), kAlice)), 401);
}

TEST(ServerRequests, ExpiredCredentialsAreRefused) {
    Relay relay;
    relay.username = std::to_string(1'762'999'000) + ":salt";

    const auto commands = relay.request(allocate(), kAlice);

    EXPECT_EQ(Relay::code(commands), 401);
    EXPECT_TRUE(relay.is_signed(commands));
}

TEST(ServerRequests, MalformedUsernameGetsNoAnswer) {
    for (const auto* username : {"nobody", "1:2:3", "x:salt"}) {
        Relay relay;
        relay.username = username;

        EXPECT_THAT(relay.request(allocate(), kAlice), IsEmpty());
        EXPECT_THAT(relay.receive(relay.encode(allocate(), "not a nonce"), kAlice), IsEmpty());
    }
}

TEST(ServerRequests, LargestExpiryIsAnOrdinaryValue) {
    Relay relay;
    relay.username = "18446744073709551615:salt";
    relay.key = stun::long_term_key(relay.username, "firezone", "wrong");

    EXPECT_EQ(Relay::code(relay.request(allocate(), kAlice)), 401);
}

TEST(ServerRequests, AlteredRequestIsRefused) {
    Relay relay;
    auto request = relay.encode(allocate(600));
    request[35] ^= std::byte{1};  // the LIFETIME

    EXPECT_EQ(Relay::code(relay.receive(request, kAlice)), 401);
}

TEST(ServerRequests, SecondAllocateIsAMismatch) {
    Relay relay;
    const auto request = relay.encode(allocate());
    relay.receive(request, kAlice);

    for (const auto& repeated : {request, relay.encode(allocate())}) {
        const auto commands = relay.receive(repeated, kAlice);

        EXPECT_EQ(Relay::code(commands), 437);
        EXPECT_TRUE(relay.is_signed(commands));
        EXPECT_THAT(Relay::effects(commands), IsEmpty());
    }
    EXPECT_EQ(relay.server.allocations(), 1U);
}

TEST(ServerRequests, RequestsWithoutAllocationAreAMismatch) {
    Relay relay;

    for (const auto& spec : {refresh(), refresh(0), bind(0x4000, "192.0.2.1:1")}) {
        const auto commands = relay.request(spec, kAlice);

        EXPECT_EQ(Relay::code(commands), 437);
        EXPECT_TRUE(relay.is_signed(commands));
    }
}

TEST(ServerRequests, ChannelNeedsTheFamilyOfItsPeer) {
    Relay relay;
    relay.request(allocate(), kAlice);

    const auto commands = relay.request(bind(0x4000, "[2001:db8::1]:1"), kAlice);

    EXPECT_EQ(Relay::code(commands), 443);
    EXPECT_TRUE(relay.is_signed(commands));
}

TEST(ServerRequests, FullRangeIsInsufficientCapacity) {
    Relay relay{with_ports(only_v4(), 50000, 50001)};
    relay.request(allocate(100), kAlice);
    relay.request(allocate(200), kBob);
    const auto carol = at("198.51.100.3:3000");

    const auto commands = relay.request(allocate(), carol);

    EXPECT_EQ(Relay::code(commands), 508);
    EXPECT_TRUE(relay.is_signed(commands));
    relay.advance(101s);
    relay.time_out();
    EXPECT_EQ(Relay::code(relay.request(allocate(), carol)), 0);
}

TEST(ServerRequests, WholePortSpaceIsAValidRange) {
    Relay relay{with_ports(only_v4(), 0, 65535)};

    EXPECT_EQ(Relay::code(relay.request(allocate(), kAlice)), 0);
}

TEST(ServerRequests, OtherTransportsAreBadRequests) {
    Relay relay;
    auto spec = allocate();
    spec.transport = 6;

    const auto commands = relay.request(spec, kAlice);

    EXPECT_EQ(Relay::code(commands), 400);
    EXPECT_TRUE(relay.is_signed(commands));
}

TEST(ServerRequests, MissingAttributesAreBadRequestsUnsigned) {
    Relay relay;
    relay.request(allocate(), kAlice);
    auto without_peer = bind(0x4000, "192.0.2.1:1");
    without_peer.peer.reset();
    auto without_channel = bind(0x4000, "192.0.2.1:1");
    without_channel.channel.reset();

    for (const auto& spec : {without_peer, without_channel, bind(0x5000, "192.0.2.1:1"), bind(0x3fff, "192.0.2.1:1")}) {
        const auto commands = relay.request(spec, kAlice);

        EXPECT_EQ(Relay::code(commands), 400);
        EXPECT_FALSE(parse(Relay::only_response(commands)).has_integrity());
    }
}

TEST(ServerRequests, UnknownMethodIsABadRequestUnsigned) {
    Relay relay;

    const auto commands = relay.request({.method = static_cast<Method>(0x00a)}, kAlice);

    EXPECT_EQ(Relay::code(commands), 400);
    EXPECT_FALSE(parse(Relay::only_response(commands)).has_integrity());
    EXPECT_TRUE(relay.server.statistics().responses.empty());
}

TEST(ServerRequests, BadAttributesOfRequestsAreAnsweredUnsigned) {
    Relay relay;
    // REQUESTED-ADDRESS-FAMILY 3, then LIFETIME of three bytes, then an attribute that overruns the message.
    const auto bad_value = hex("00030008 2112a442 d1d2d3d4 d5d6d7d8 d9dadbdc 00170004 03000000");
    const auto bad_length = hex("00030008 2112a442 d1d2d3d4 d5d6d7d8 d9dadbdc 000d0003 00000000");
    const auto overrun = hex("00030008 2112a442 d1d2d3d4 d5d6d7d8 d9dadbdc 000d0008 00000000");

    EXPECT_EQ(Relay::code(relay.receive(bad_value, kAlice)), 400);
    EXPECT_EQ(Relay::code(relay.receive(bad_length, kAlice)), 500);
    EXPECT_EQ(Relay::code(relay.receive(overrun, kAlice)), 500);
}

TEST(ServerRequests, OnlyRequestsAreAnswered) {
    Relay relay;
    const stun::TransactionId id{};
    for (const auto cls : {Class::kIndication, Class::kSuccess, Class::kError}) {
        for (const auto method : {Method::kBinding, Method::kSend, Method::kData, Method::kAllocate}) {
            EXPECT_THAT(relay.receive(stun::MessageBuilder(cls, method, id).build(), kAlice), IsEmpty());
        }
    }
    EXPECT_THAT(relay.receive(hex("01030008 2112a442 d1d2d3d4 d5d6d7d8 d9dadbdc 000d0003 00000000"), kAlice),
                IsEmpty());
}

TEST(ServerRequests, GarbageDoesNotPoisonWhatFollows) {
    Relay relay;
    const auto request = relay.encode(allocate());
    const std::vector<Bytes> garbage{
        {},
        hex("00"),
        hex("01020304"),
        hex("ff"),
        hex("000100002112a4"),
        hex("00010004 2112a442 01020304 05060708 090a0b0c"),
        hex("00010000 2112a442 01020304 05060708 090a0b0c 00000000"),
        hex("00010000 2112a443 01020304 05060708 090a0b0c"),
        Bytes(65507, std::byte{0x00}),
        {request.begin(), request.begin() + 100},
    };
    for (const auto& datagram : garbage) {
        EXPECT_THAT(relay.receive(datagram, kAlice), IsEmpty());
    }

    EXPECT_EQ(Relay::code(relay.receive(request, kAlice)), 0);
    EXPECT_EQ(relay.server.statistics().dropped_malformed, garbage.size());
}

TEST(ServerRequests, SourcePortZeroIsNotAnswered) {
    Relay relay;

    EXPECT_THAT(relay.receive(relay.encode_anonymous({.method = Method::kBinding}), at("198.51.100.1:0")), IsEmpty());
}

TEST(ServerRequests, UnsupportedAttributesAreIgnored) {
    Relay relay;
    auto spec = allocate();
    spec.extra_flags = {AttributeType::kDontFragment, static_cast<AttributeType>(0x7abc)};

    EXPECT_EQ(Relay::code(relay.request(spec, kAlice)), 0);
}

TEST(ServerRequests, EvenPortIsIgnored) {
    Relay relay;
    stun::MessageBuilder builder{Class::kRequest, Method::kAllocate, {}};
    const std::byte even{0x80};
    builder.requested_transport(stun::kTransportUdp)
        .raw(AttributeType::kEvenPort, ByteSpan{&even, 1})
        .text(AttributeType::kUsername, relay.username)
        .text(AttributeType::kNonce, relay.server.make_nonce(kAlice, relay.now).to_string())
        .integrity(relay.signing_key().reveal());

    EXPECT_EQ(Relay::code(relay.receive(builder.build(), kAlice)), 0);
}

TEST(ServerRequests, CreatePermissionAlwaysSucceeds) {
    Relay relay;

    const auto commands = relay.request({.method = Method::kCreatePermission}, kAlice);

    EXPECT_EQ(Relay::code(commands), 0);
    EXPECT_TRUE(relay.is_signed(commands));
}

TEST(ServerRequests, ResponsesAreCounted) {
    Relay relay;
    relay.receive(relay.encode_anonymous({.method = Method::kBinding}), kAlice);
    relay.request(refresh(), kAlice);
    relay.request(refresh(), kAlice);

    const auto& responses = relay.server.statistics().responses;

    EXPECT_EQ(responses.at({Method::kBinding, 0}), 1U);
    EXPECT_EQ(responses.at({Method::kRefresh, 437}), 2U);
}

TEST(ServerRequests, UnusablePortIsReplacedByAnotherBeforeTheClientHears) {
    Relay relay{with_ports(dual_stack(), 50000, 50001)};
    (void)relay.server.handle_client_input(relay.encode(allocate_dual()), kAlice, relay.now, relay.wall_now);
    const auto refused = std::get<CreateAllocation>(*relay.server.poll_command()).port;
    const auto other = static_cast<std::uint16_t>(50000 + 50001 - refused);

    relay.server.handle_allocation_failed(refused, relay.now);
    const auto commands = relay.drain();

    EXPECT_THAT(Relay::effects(commands), ElementsAre(Command{CreateAllocation{refused, net::Family::kIpv6}},
                                                      Command{FreeAllocation{refused, net::Family::kIpv4}},
                                                      Command{FreeAllocation{refused, net::Family::kIpv6}},
                                                      Command{CreateAllocation{other, net::Family::kIpv4}},
                                                      Command{CreateAllocation{other, net::Family::kIpv6}}));
    ASSERT_EQ(Relay::code(commands), 0);
    EXPECT_THAT(parse(Relay::only_response(commands)).addresses(AttributeType::kXorRelayedAddress),
                ElementsAre(net::SocketAddress{kPublicV4, other}, net::SocketAddress{kPublicV6, other}));
    EXPECT_EQ(relay.server.allocations(), 1U);
    EXPECT_EQ(relay.server.statistics().responses.at({Method::kAllocate, 0}), 1U);
}

TEST(ServerRequests, OneRequestTriesAFewPortsAndNotTheWholeRange) {
    Relay relay{with_ports(only_v4(), 50000, 59999)};
    (void)relay.server.handle_client_input(relay.encode(allocate()), kAlice, relay.now, relay.wall_now);

    unsigned attempts = 0;
    std::vector<Command> others;
    while (const auto command = relay.server.poll_command()) {
        if (const auto* const create = std::get_if<CreateAllocation>(&*command)) {
            ++attempts;
            relay.server.handle_allocation_failed(create->port, relay.now);
        } else {
            others.push_back(*command);
        }
    }

    EXPECT_EQ(attempts, kMaxPortAttempts);
    EXPECT_EQ(Relay::code(others), 508);
    EXPECT_EQ(relay.server.allocations(), 0U);
    EXPECT_EQ(Relay::code(relay.request(allocate(), kAlice)), 0) << "later the host may have recovered";
}

TEST(ServerRequests, NoUsablePortIsInsufficientCapacityUntilThePauseIsOver) {
    Relay relay{with_ports(only_v4(), 50000, 50000)};
    (void)relay.server.handle_client_input(relay.encode(allocate()), kAlice, relay.now, relay.wall_now);
    (void)relay.server.poll_command();

    relay.server.handle_allocation_failed(50000, relay.now);

    EXPECT_EQ(Relay::code(relay.drain()), 508);
    EXPECT_EQ(Relay::code(relay.request(allocate(), kAlice)), 508);
    relay.advance(10min);
    EXPECT_EQ(Relay::code(relay.request(allocate(), kAlice)), 0);
}

}  // namespace
}  // namespace culvert::turn::test
