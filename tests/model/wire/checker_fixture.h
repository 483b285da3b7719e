#pragma once

#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "culvert/base/rng.h"
#include "culvert/crypto/hash.h"
#include "tests/model/wire/test_messages.h"
#include "tests/model/wire/wire_checker.h"

namespace culvert::model::wire {

/// A client, a gateway and a relay that follow the rules, for as long as a test lets them.
class CheckerTest : public testing::Test {
protected:
    using milliseconds = std::chrono::milliseconds;

    CheckerTest() : CheckerTest{Driver::kExact} {}
    explicit CheckerTest(Driver client_driver) {
        setup.clients.resize(1);
        setup.clients[0].driver = client_driver;
        setup.gateways.resize(1);
        setup.relays.resize(1);
        checker = std::make_unique<WireChecker>(setup);
        start(kRelay, {relay_address.ip}, kRelayId, {});
        start(kGateway, {gateway_address.ip}, kGatewayId, gateway_keys.public_key());
        start(kClient, {client_address.ip}, kClientId, client_keys.public_key());
        tell(kClient, portal_api::ToClient{portal_api::ClientInit{.relays = {relay_entry(client_username)}}});
        tell(kGateway, portal_api::ToGateway{portal_api::GatewayInit{.relays = {relay_entry("g")}}});
        tell(kGateway, portal_api::ToGateway{authorize_flow()});
        tell(kClient, portal_api::ToClient{flow_created()});
        signal_hosts();
        now += std::chrono::seconds{3};  // then it is calm
    }

    // --- What the world does ---

    void observe(const Observation& observation) { checker->observe(observation, now); }
    void sleep(Duration duration) { now += duration; }
    void tell(const Device& device, const portal_api::ToDevice& message) { observe(MessageToDevice{device, message}); }
    void say(const Device& device, const portal_api::FromDevice& message) { observe(MessageToPortal{device, message}); }
    void send(const Device& device, const net::SocketAddress& from, const net::SocketAddress& to, ByteSpan payload,
              net::Ecn ecn = net::Ecn::kNotEct) {
        observe(DatagramSent{device, from, to, ecn, payload});
    }
    void receive(const Device& device, const net::SocketAddress& from, const net::SocketAddress& to, ByteSpan payload) {
        observe(DatagramReceived{device, from, to, payload, false});
    }
    /// Sent, and received by the other end.
    void pass(const Device& device, const Device& receiver, const net::SocketAddress& from,
              const net::SocketAddress& to, ByteSpan payload) {
        send(device, from, to, payload);
        receive(receiver, from, to, payload);
    }
    void client_to_gateway(ByteSpan payload) { pass(kClient, kGateway, client_address, gateway_address, payload); }
    void gateway_to_client(ByteSpan payload) { pass(kGateway, kClient, gateway_address, client_address, payload); }
    void client_to_relay(ByteSpan payload) { pass(kClient, kRelay, client_address, relay_address, payload); }
    void relay_to_client(ByteSpan payload) { pass(kRelay, kClient, relay_address, client_address, payload); }

    // --- Datagrams ---

    [[nodiscard]] static std::uint32_t check_priority() { return 1862270719; }
    struct Check {
        std::string_view username = "gate:clnt";
        std::uint16_t role = stun_attribute::kIceControlling;
        std::string_view password = "gateway-password-abcde";
        std::uint32_t priority = check_priority();
        std::uint8_t transaction = 1;
        bool nominates = false;
        std::byte tie_breaker{};
    };
    [[nodiscard]] static Bytes make(const Check& check) {
        using namespace stun_attribute;
        StunWriter writer{stun_type::kBinding, check.transaction};
        writer.add(kUsername, check.username)
            .add(check.role, Bytes(8, check.tie_breaker))
            .add_number(kPriority, check.priority);
        if (check.nominates) {
            writer.add(kUseCandidate, ByteSpan{});
        }
        return writer.add_integrity(as_bytes(check.password)).add_fingerprint().done();
    }
    [[nodiscard]] static Bytes client_check(std::uint8_t transaction = 1, bool nominates = false,
                                            std::byte tie_breaker = {}) {
        return make({.transaction = transaction, .nominates = nominates, .tie_breaker = tie_breaker});
    }
    [[nodiscard]] static Bytes gateway_check(std::uint8_t transaction = 2, bool nominates = false) {
        return make({.username = "clnt:gate",
                     .role = stun_attribute::kIceControlled,
                     .password = "client-password-abcdef",
                     .transaction = transaction,
                     .nominates = nominates});
    }
    [[nodiscard]] static Bytes answer(const net::SocketAddress& mapped, std::string_view password,
                                      std::uint8_t transaction = 1) {
        return StunWriter{stun_type::kBinding | stun_type::kSuccess, transaction}
            .add_address(stun_attribute::kXorMappedAddress, mapped)
            .add_integrity(as_bytes(password))
            .add_fingerprint()
            .done();
    }
    [[nodiscard]] Bytes request(std::uint16_t type, std::uint8_t transaction, std::string_view nonce = {}) const {
        using namespace stun_attribute;
        StunWriter writer{type, transaction};
        if (type == stun_type::kChannelBind) {
            writer.add_address(kXorPeerAddress, gateway_address).add_number(kChannelNumber, 0x4000'0000);
        } else {
            writer.add_number(kRequestedTransport, 17U << 24).add_number(kAdditionalAddressFamily, 2U << 24);
        }
        writer.add(kSoftware, software()).add(kUsername, client_username).add(kRealm, "firezone");
        if (!nonce.empty()) {
            writer.add(kNonce, nonce);
        }
        return writer.add_integrity(client_relay_key()).done();
    }
    [[nodiscard]] Bytes binding(std::uint8_t transaction) const {
        return StunWriter{stun_type::kBinding, transaction}.add(stun_attribute::kSoftware, software()).done();
    }
    [[nodiscard]] Bytes binding_success(std::uint8_t transaction) const {
        return StunWriter{stun_type::kBinding | stun_type::kSuccess, transaction}
            .add(stun_attribute::kSoftware, "firezone-relay; rev=xxxx")
            .add_address(stun_attribute::kXorMappedAddress, client_address)
            .done();
    }
    [[nodiscard]] Bytes error(std::uint16_t method, std::uint8_t transaction, unsigned code,
                              std::string_view reason) const {
        using namespace stun_attribute;
        Bytes value{std::byte{0}, std::byte{0}, static_cast<std::byte>(code / 100), static_cast<std::byte>(code % 100)};
        append(value, as_bytes(reason));
        StunWriter writer{static_cast<std::uint16_t>(method | stun_type::kError), transaction};
        writer.add(kSoftware, "firezone-relay; rev=xxxx").add(kErrorCode, value);
        if (code == 401 || code == 438) {
            writer.add(kRealm, "firezone").add(kNonce, kNonceText);
        }
        return writer.add_integrity(client_relay_key()).done();
    }
    [[nodiscard]] Bytes allocate_success(std::uint8_t transaction) const {
        using namespace stun_attribute;
        return StunWriter{stun_type::kAllocate | stun_type::kSuccess, transaction}
            .add(kSoftware, "firezone-relay; rev=xxxx")
            .add_address(kXorRelayedAddress, relayed_address)
            .add_address(kXorMappedAddress, client_address)
            .add_number(kLifetime, 600)
            .add_integrity(client_relay_key())
            .done();
    }
    [[nodiscard]] Bytes bind_success(std::uint8_t transaction) const {
        return StunWriter{stun_type::kChannelBind | stun_type::kSuccess, transaction}
            .add(stun_attribute::kSoftware, "firezone-relay; rev=xxxx")
            .add_integrity(client_relay_key())
            .done();
    }
    [[nodiscard]] static Bytes channel_data(ByteSpan payload, std::uint16_t channel = 0x4000) {
        Bytes bytes;
        append_be(bytes, channel);
        append_be(bytes, static_cast<std::uint16_t>(payload.size()));
        append(bytes, payload);
        return bytes;
    }
    [[nodiscard]] static Bytes initiation(std::uint32_t sender, const crypto::PublicKey& receiver) {
        Bytes bytes(148);
        bytes[0] = std::byte{1};
        store_le(MutableByteSpan{bytes}.subspan(4), sender);
        const auto key = crypto::blake2s({as_bytes("mac1----"), receiver.bytes});
        const auto mac = crypto::blake2s_keyed<16>(key, {ByteSpan{bytes}.first(116)});
        std::ranges::copy(mac, bytes.begin() + 116);
        return bytes;
    }
    [[nodiscard]] static Bytes response(std::uint32_t sender, std::uint32_t receiver) {
        Bytes bytes(92);
        bytes[0] = std::byte{2};
        store_le(MutableByteSpan{bytes}.subspan(4), sender);
        store_le(MutableByteSpan{bytes}.subspan(8), receiver);
        return bytes;
    }
    [[nodiscard]] static Bytes data(std::uint32_t receiver, std::uint64_t counter, std::size_t packet = 0) {
        Bytes bytes(32 + packet);
        bytes[0] = std::byte{4};
        store_le(MutableByteSpan{bytes}.subspan(4), receiver);
        store_le(MutableByteSpan{bytes}.subspan(8), counter);
        return bytes;
    }

    // --- Courses of events ---

    /// Both sides check the direct path and answer.
    void connect() {
        client_to_gateway(client_check(1));
        gateway_to_client(gateway_check(2));
        gateway_to_client(answer(client_address, gateway_ice.password, 1));
        client_to_gateway(answer(gateway_address, client_ice.password, 2));
    }
    void shake_hands(std::uint32_t client_index = kClientIndex, std::uint32_t gateway_index = kGatewayIndex) {
        client_to_gateway(initiation(client_index, gateway_keys.public_key()));
        gateway_to_client(response(gateway_index, client_index));
        client_to_gateway(data(gateway_index, 0));
    }
    void allocate() {
        client_to_relay(binding(10));
        relay_to_client(binding_success(10));
        client_to_relay(request(stun_type::kAllocate, 11));
        relay_to_client(error(stun_type::kAllocate, 11, 401, "Unauthorized"));
        client_to_relay(request(stun_type::kAllocate, 12, kNonceText));
        relay_to_client(allocate_success(12));
    }
    void bind_channel() {
        client_to_relay(request(stun_type::kChannelBind, 13, kNonceText));
        relay_to_client(bind_success(13));
    }
    void submit(std::size_t size) { observe(PacketSubmitted{kClientNo, Bytes(size)}); }

    /// "PRO-1 <complaint>" for every violation.
    [[nodiscard]] std::vector<std::string> violations() {
        std::vector<std::string> texts;
        const auto verdict = checker->finish(now);
        for (const auto& violation : verdict.violations()) {
            texts.push_back(violation.invariant + " " + violation.text.substr(0, violation.text.find(':')));
        }
        return texts;
    }
    void expect_conforming() { EXPECT_THAT(violations(), testing::IsEmpty()); }
    void expect_violation(const std::string& text) { EXPECT_THAT(violations(), testing::ElementsAre(text)); }

    [[nodiscard]] std::string software() const {
        auto text = to_hex(crypto::sha256({as_bytes("SESSION-ID"), client_keys.public_key().bytes}));
        std::ranges::transform(text, text.begin(), [](char c) { return static_cast<char>(std::toupper(c)); });
        return "snownet; session=" + text;
    }
    [[nodiscard]] crypto::Md5Digest client_relay_key() const {
        return crypto::md5(as_bytes(client_username + ":firezone:secret"));
    }
    [[nodiscard]] portal_api::Relay relay_entry(const std::string& username) const {
        return {.id = RelayId{kRelayId}, .addr = relay_address, .username = username, .password = "secret"};
    }
    [[nodiscard]] portal_api::FlowCreated flow_created() const {
        return {.resource_id = kResource,
                .gateway_id = GatewayId{kGatewayId},
                .gateway_public_key = gateway_keys.public_key(),
                .client_ice_credentials = client_ice,
                .gateway_ice_credentials = gateway_ice};
    }
    [[nodiscard]] portal_api::AuthorizeFlow authorize_flow() const {
        return {.client = {.id = ClientId{kClientId}, .public_key = client_keys.public_key()},
                .client_ice_credentials = client_ice,
                .gateway_ice_credentials = gateway_ice};
    }
    void signal_hosts() {
        tell(kClient, portal_api::ToClient{portal_api::GatewayIceCandidates{GatewayId{kGatewayId}, {gateway_line()}}});
        tell(kGateway, portal_api::ToGateway{portal_api::ClientIceCandidates{ClientId{kClientId}, {client_line()}}});
    }
    [[nodiscard]] static std::string client_line() {
        return "candidate:1 1 udp 2130706175 198.18.0.1 52625 typ host ufrag clnt";
    }
    [[nodiscard]] static std::string gateway_line() {
        return "candidate:1 1 udp 2130706175 198.18.0.2 52625 typ host ufrag gate";
    }
    void broadcast(std::vector<std::string> lines) {
        say(kClient, portal_api::FromClient{
                         portal_api::BroadcastGatewayIceCandidates{{GatewayId{kGatewayId}}, std::move(lines)}});
    }
    void withdraw(std::vector<std::string> lines) {
        say(kClient, portal_api::FromClient{portal_api::BroadcastInvalidatedGatewayIceCandidates{
                         {GatewayId{kGatewayId}}, std::move(lines)}});
    }

    static constexpr ClientNo kClientNo{1};
    static inline const Device kClient{ClientNo{1}};
    static inline const Device kGateway{GatewayNo{1}};
    static inline const Device kRelay{RelayNo{1}};
    static constexpr std::uint32_t kClientIndex = 0x00abcd01;
    static constexpr std::uint32_t kGatewayIndex = 0x00123401;
    static constexpr std::string_view kNonceText = "00000000-0000-0000-0000-000000000000";
    static inline const Uuid kClientId = Uuid{{0xc1}};
    static inline const Uuid kGatewayId = Uuid{{0x9a}};
    static inline const Uuid kRelayId = Uuid{{0x4e}};
    static inline const ResourceId kResource{Uuid{{0x05}}};

    const net::SocketAddress client_address = *net::SocketAddress::parse("198.18.0.1:52625");
    const net::SocketAddress gateway_address = *net::SocketAddress::parse("198.18.0.2:52625");
    const net::SocketAddress relay_address = *net::SocketAddress::parse("203.0.113.1:3478");
    const net::SocketAddress relayed_address = *net::SocketAddress::parse("203.0.113.1:50000");
    const portal_api::IceCredentials client_ice{"clnt", "client-password-abcdef"};
    const portal_api::IceCredentials gateway_ice{"gate", "gateway-password-abcde"};
    Rng rng = Rng::from_number(1);
    const crypto::KeyPair client_keys = crypto::KeyPair::generate(rng);
    const crypto::KeyPair gateway_keys = crypto::KeyPair::generate(rng);
    /// For the relay.
    std::string client_username = "c";

    model::Setup setup;
    std::unique_ptr<WireChecker> checker;
    Instant now{std::chrono::hours{1}};

private:
    void start(const Device& device, std::vector<net::IpAddress> addresses, const Uuid& id,
               const crypto::PublicKey& key) {
        const Access access;
        observe(HostAttached{device, std::move(addresses), access});
        observe(
            ProcessChanged{std::visit([](auto number) { return Process{number}; }, device), ProcessState::kRunning});
        observe(SessionOpened{device, id, key});
    }
};

}  // namespace culvert::model::wire
