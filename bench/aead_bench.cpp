// What sealing and opening one transport packet costs with each library that could do it: ChaCha20-Poly1305, in place,
// context reused, a new nonce per packet, best of many batches.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <sodium/core.h>
#include <sodium/crypto_aead_chacha20poly1305.h>

#include "culvert/crypto/aead.h"

namespace {

using namespace culvert;
using crypto::kTagSize;

constexpr int kRounds = 15;
constexpr std::size_t kBatch = 64;
constexpr std::size_t kSizes[] = {64, 128, 256, 512, 1024, 1280, 1420, 4096, 16384};

struct Candidate {
    std::string name;
    std::function<void(std::uint64_t counter, MutableByteSpan packet)> seal;
    std::function<bool(std::uint64_t counter, MutableByteSpan packet)> open;
};

Candidate transport_candidate(crypto::AeadBackend backend) {
    const auto key = std::make_shared<crypto::TransportKey>(crypto::Secret<32>{}, backend);
    return {std::string{to_string(backend)},
            [key](std::uint64_t counter, MutableByteSpan packet) {
                key->seal(counter, packet.first(packet.size() - kTagSize), packet);
            },
            [key](std::uint64_t counter, MutableByteSpan packet) { return key->open(counter, packet); }};
}

Candidate sodium_candidate() {
    const auto raw = [](MutableByteSpan bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); };
    static constexpr unsigned char kKey[32]{};
    const auto nonce = [](std::uint64_t counter) {
        std::array<std::byte, 12> bytes{};
        store_le(MutableByteSpan{bytes}.subspan(4), counter);
        return bytes;
    };
    return {"libsodium",
            [=](std::uint64_t counter, MutableByteSpan packet) {
                auto iv = nonce(counter);
                crypto_aead_chacha20poly1305_ietf_encrypt(raw(packet), nullptr, raw(packet), packet.size() - kTagSize,
                                                          nullptr, 0, nullptr, raw(iv), kKey);
            },
            [=](std::uint64_t counter, MutableByteSpan packet) {
                auto iv = nonce(counter);
                return crypto_aead_chacha20poly1305_ietf_decrypt(raw(packet), nullptr, nullptr, raw(packet),
                                                                 packet.size(), nullptr, 0, raw(iv), kKey) == 0;
            }};
}

struct Cost {
    double seal_ns = 1e12;
    double open_ns = 1e12;
};

double nanoseconds_per_packet(std::chrono::steady_clock::time_point since) {
    const auto elapsed = std::chrono::duration<double, std::nano>{std::chrono::steady_clock::now() - since};
    return elapsed.count() / static_cast<double>(kBatch);
}

/// One round: seals batches of packets that fit into the cache, then opens them. The best batch counts, not the
/// average, so that a busy machine does not blur the comparison.
void measure(const Candidate& candidate, std::size_t size, Cost& cost) {
    const auto repetitions = std::max<std::size_t>(4, 100'000 / (size + 400));
    std::vector<Bytes> packets(kBatch, Bytes(size + kTagSize));
    std::uint64_t counter = 0;
    for (std::size_t repetition = 0; repetition < repetitions; ++repetition) {
        auto since = std::chrono::steady_clock::now();
        for (auto& packet : packets) {
            candidate.seal(counter++, packet);
        }
        cost.seal_ns = std::min(cost.seal_ns, nanoseconds_per_packet(since));
        counter -= kBatch;
        since = std::chrono::steady_clock::now();
        for (auto& packet : packets) {
            if (!candidate.open(counter++, packet)) {
                std::fprintf(stderr, "error: %s refuses its own packet\n", candidate.name.c_str());
                std::exit(1);
            }
        }
        cost.open_ns = std::min(cost.open_ns, nanoseconds_per_packet(since));
    }
}

}  // namespace

int main() {
    if (sodium_init() < 0) {
        std::fprintf(stderr, "error: libsodium does not start\n");
        return 1;
    }
    std::vector<Candidate> candidates;
    for (const auto backend :
         {crypto::AeadBackend::kIpsecMb, crypto::AeadBackend::kBoringSsl, crypto::AeadBackend::kOpenSsl}) {
        if (crypto::is_available(backend)) {
            candidates.push_back(transport_candidate(backend));
        } else {
            std::printf("%s is not available here\n", std::string{to_string(backend)}.c_str());
        }
    }
    candidates.push_back(sodium_candidate());

    std::printf("ChaCha20-Poly1305, ns per packet (ratio to the backend in use: %s), best batch of %zu\n\n",
                std::string{to_string(crypto::transport_aead_backend())}.c_str(), kBatch);
    std::printf("%6s", "bytes");
    for (const auto& candidate : candidates) {
        std::printf("  %11s seal  %11s open", candidate.name.c_str(), candidate.name.c_str());
    }
    std::printf("\n");
    for (const auto size : kSizes) {
        std::vector<Cost> costs(candidates.size());
        // Candidates take turns, so that a slow moment of the machine hits all of them.
        for (int round = 0; round < kRounds; ++round) {
            for (std::size_t i = 0; i < candidates.size(); ++i) {
                measure(candidates[i], size, costs[i]);
            }
        }
        std::printf("%6zu", size);
        for (const auto& cost : costs) {
            std::printf("  %8.0f (%4.2fx)", cost.seal_ns, cost.seal_ns / costs[0].seal_ns);
            std::printf("  %8.0f (%4.2fx)", cost.open_ns, cost.open_ns / costs[0].open_ns);
        }
        std::printf("\n");
        std::fflush(stdout);
    }
    return 0;
}
