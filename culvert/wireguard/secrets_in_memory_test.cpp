// Looks for keys in all the memory of this process: in live and freed parts of the heap, on the stack, in libraries.

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "culvert/base/sanitizers.h"
#include "culvert/crypto/secret.h"
#include "culvert/wireguard/handshake.h"
#include "culvert/wireguard/session.h"
#include "culvert/wireguard/tunnel_test_pair.h"

namespace culvert::wireguard {
namespace {

using namespace testing_support;

constexpr std::byte kMask{0xa5};
/// Other than those of the packets, which are drawn from the same generator.
constexpr std::uint64_t kSeed = 99;

/// A key that looks like something else in memory, so that the search does not find itself.
struct MaskedKey {
    std::array<char, 32> name{};
    std::array<std::byte, 32> bytes{};
};

MaskedKey masked(std::string_view name, ByteSpan key) {
    MaskedKey result;
    std::ranges::copy(name, result.name.begin());
    std::ranges::transform(key, result.bytes.begin(), [](std::byte b) { return b ^ kMask; });
    return result;
}

/// The keys of a handshake, as both sides know them.
struct Handshake {
    explicit Handshake(const TunnelPair& pair)
        : initiator{identities(pair.i)}, responder{identities(pair.r)}, rng{Rng::from_number(77)} {
        auto [initiation, outstanding] = write_initiation(initiator, 1, Tai64n::from(kWallStart), rng);
        const auto opened = open_initiation(responder.local, initiation);
        auto received = read_initiation(responder, *opened);
        auto response = write_response(responder, *received, 2, rng);
        at_responder = response->second;
        at_initiator = *read_response(initiator, outstanding, response->first);
        ephemeral = outstanding.ephemeral.private_key();
    }

    static Identities identities(const Peer& peer) {
        return {peer.key_pair, peer.other, peer.preshared, *peer.key_pair.shared_secret(peer.other)};
    }

    Identities initiator;
    Identities responder;
    Rng rng;
    TransportSecrets at_initiator;
    TransportSecrets at_responder;
    crypto::Secret<32> ephemeral;
};

/// Calculated by another process, so that this one knows only what `Handshake` leaves.
std::vector<MaskedKey> keys_of_handshake() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe(ends.data()), 0);
    constexpr std::size_t kKeys = 6;
    const auto child = ::fork();
    if (child == 0) {
        TunnelPair pair{kSeed};
        const Handshake handshake{pair};
        const std::array<MaskedKey, kKeys> keys{
            masked("initiator's private key", handshake.initiator.local.private_key().reveal()),
            masked("responder's private key", handshake.responder.local.private_key().reveal()),
            masked("preshared key", handshake.initiator.preshared.reveal()),
            masked("ephemeral key", handshake.ephemeral.reveal()),
            masked("initiator's transport key", handshake.at_initiator.sending.reveal()),
            masked("responder's transport key", handshake.at_initiator.receiving.reveal()),
        };
        ::_exit(::write(ends[1], keys.data(), sizeof keys) == static_cast<ssize_t>(sizeof keys) ? 0 : 1);
    }
    std::vector<MaskedKey> keys(kKeys);
    EXPECT_EQ(::read(ends[0], keys.data(), kKeys * sizeof(MaskedKey)), static_cast<ssize_t>(kKeys * sizeof(MaskedKey)));
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    ::close(ends[0]);
    ::close(ends[1]);
    return keys;
}

/// What is looked at, a piece at a time. Not part of what is searched.
std::array<std::byte, std::size_t{1} << 20> g_window;

bool finds(std::span<const std::byte> memory, const MaskedKey& key) {
    // Half a key is as bad as a whole one, nearly.
    constexpr std::size_t kEnough = 16;
    for (std::size_t half = 0; half < 2; ++half) {
        const auto wanted = std::span{key.bytes}.subspan(half * kEnough, kEnough);
        for (std::size_t at = 0; at + kEnough <= memory.size(); ++at) {
            if ((memory[at] ^ kMask) == wanted[0] &&
                std::ranges::equal(memory.subspan(at, kEnough), wanted,
                                   [](std::byte a, std::byte b) { return (a ^ kMask) == b; })) {
                return true;
            }
        }
    }
    return false;
}

/// Names of the keys that are somewhere in memory, and where.
std::vector<std::string> found_in_memory(const std::vector<MaskedKey>& keys) {
    std::vector<std::string> found;
    std::ifstream maps{"/proc/self/maps"};
    const int memory = ::open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    for (std::string line; std::getline(maps, line);) {
        unsigned long start = 0;
        unsigned long end = 0;
        std::array<char, 5> rights{};
        if (std::sscanf(line.c_str(), "%lx-%lx %4s", &start, &end, rights.data()) != 3 || rights[1] != 'w') {
            continue;
        }
        const auto own = reinterpret_cast<unsigned long>(g_window.data());
        for (auto at = start; at < end;) {
            if (at >= own && at < own + g_window.size()) {
                at = own + g_window.size();
                continue;
            }
            const auto until = at < own ? std::min(end, own) : end;
            const auto count = ::pread(memory, g_window.data(), std::min<std::size_t>(g_window.size(), until - at),
                                       static_cast<off_t>(at));
            if (count <= 0) {
                break;
            }
            for (const auto& key : keys) {
                if (finds(std::span{g_window}.first(static_cast<std::size_t>(count)), key)) {
                    found.push_back(std::string{key.name.data()} + " in " + line.substr(0, 100));
                }
            }
            // Pieces overlap, lest a key lies across their border.
            at += static_cast<std::size_t>(count) > 64 && at + static_cast<std::size_t>(count) < until
                      ? static_cast<std::size_t>(count) - 64
                      : static_cast<std::size_t>(count);
        }
    }
    ::close(memory);
    crypto::zeroise(g_window);
    return found;
}

[[gnu::noinline]] void shake_hands_and_talk() {
    TunnelPair pair{kSeed};
    const Handshake handshake{pair};
    Session initiator{HandshakeRole::kInitiator, 1, 2, handshake.at_initiator, kStart};
    Session responder{HandshakeRole::kResponder, 2, 1, handshake.at_responder, kStart};
    const auto packet = make_ip_packet();
    Bytes datagram(packet.size() + kDataOverhead);
    initiator.seal(packet, datagram);
    ASSERT_TRUE(responder.open(datagram));
    responder.seal(packet, datagram);
    ASSERT_TRUE(initiator.open(datagram));
}

[[gnu::noinline]] void talk_through_tunnels() {
    TunnelPair pair{kSeed};
    pair.establish();
    pair.send(pair.i);
    pair.send(pair.r);
    ASSERT_EQ(pair.r.received.size(), 1U);
}

class SecretsInMemory : public ::testing::Test {
protected:
    void SetUp() override {
#if CULVERT_HAS_SANITIZED_HEAP
        GTEST_SKIP() << "sanitizers keep what was freed, and have too much memory to look through";
#endif
    }
};

TEST_F(SecretsInMemory, NoneIsLeftOfSessionsThatAreOver) {
    const auto keys = keys_of_handshake();
    shake_hands_and_talk();
    crypto::wipe_stack();
    EXPECT_EQ(found_in_memory(keys), std::vector<std::string>{});
}

TEST_F(SecretsInMemory, NoneIsLeftOfTunnelsThatAreGone) {
    const auto keys = keys_of_handshake();
    talk_through_tunnels();
    crypto::wipe_stack();
    EXPECT_EQ(found_in_memory(keys), std::vector<std::string>{});
}

TEST_F(SecretsInMemory, TheSearchFindsWhatIsThere) {
    const auto keys = keys_of_handshake();
    TunnelPair pair{kSeed};
    const Handshake handshake{pair};
    const auto found = found_in_memory(keys);
    for (const auto& key : keys) {
        EXPECT_TRUE(std::ranges::any_of(found, [&](const std::string& text) {
            return text.starts_with(std::string{key.name.data()});
        })) << key.name.data();
    }
}

}  // namespace
}  // namespace culvert::wireguard
