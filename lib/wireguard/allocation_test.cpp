#include <atomic>
#include <cstdlib>
#include <new>

#include <gtest/gtest.h>

#include "culvert/wireguard/tunnel_test_pair.h"

namespace {

std::atomic<std::size_t> allocations{0};

void* allocate(std::size_t size) {
    ++allocations;
    if (void* memory = std::malloc(size == 0 ? 1 : size)) {
        return memory;
    }
    throw std::bad_alloc{};
}

}  // namespace

// The whole test program counts; only this file looks.
void* operator new(std::size_t size) {
    return allocate(size);
}
void* operator new[](std::size_t size) {
    return allocate(size);
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete[](void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
    std::free(memory);
}

namespace culvert::wireguard {
namespace {

using namespace testing_support;

TEST(HotPath, DataAllocatesNothingInEitherDirection) {
    TunnelPair pair;
    pair.establish();
    const auto packet = make_ip_packet(1280);
    Bytes datagram(packet.size() + kDataOverhead);
    std::size_t opened = 0;
    const auto before = allocations.load();

    for (int n = 0; n < 10'000; ++n) {
        pair.now += 1us;
        const bool sealed = pair.i.tunnel.seal(packet, datagram, pair.now);
        const auto inner = pair.r.tunnel.handle_packet(datagram, pair.now);
        opened += sealed && inner && *inner ? 1U : 0U;
        (void)pair.r.tunnel.poll_transmit();
        (void)pair.r.tunnel.poll_timeout();
    }

    EXPECT_EQ(allocations.load(), before);
    EXPECT_EQ(opened, 10'000U);
}

}  // namespace
}  // namespace culvert::wireguard
