// Looks for a secret in all the memory of this process after the objects that held it are gone.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "culvert/base/sanitizers.h"

namespace {

/// The secret, as it never stands anywhere by itself.
constexpr std::string_view kReversed = "neves-etihw-sesroh-etarbelec-a-gniddew";

[[gnu::noinline]] std::string make_secret() {
    return {kReversed.rbegin(), kReversed.rend()};
}

std::array<char, std::size_t{1} << 20> g_window;

/// How often the secret, or the last half of it, is on the heap.
int copies_on_heap() {
    int copies = 0;
    std::ifstream maps{"/proc/self/maps"};
    const int memory = ::open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    const auto wanted = kReversed.substr(0, kReversed.size() / 2);
    for (std::string line; std::getline(maps, line);) {
        unsigned long start = 0;
        unsigned long end = 0;
        if (!line.ends_with("[heap]") || std::sscanf(line.c_str(), "%lx-%lx", &start, &end) != 2) {
            continue;
        }
        for (auto at = start; at < end; at += g_window.size()) {
            const auto count = ::pread(memory, g_window.data(), std::min<std::size_t>(g_window.size(), end - at),
                                       static_cast<off_t>(at));
            for (ssize_t i = static_cast<ssize_t>(wanted.size()); i <= count; ++i) {
                const auto piece = std::string_view{g_window.data(), static_cast<std::size_t>(i)};
                copies += std::equal(wanted.begin(), wanted.end(), piece.rbegin()) ? 1 : 0;
            }
        }
    }
    ::close(memory);
    return copies;
}

class WipingHeap : public ::testing::Test {
protected:
    void SetUp() override {
#if CULVERT_HAS_SANITIZED_HEAP
        GTEST_SKIP() << "sanitizers have a heap of their own";
#endif
    }
};

TEST_F(WipingHeap, NothingThatWasGivenBackCanBeRead) {
    {
        const auto secret = make_secret();
        EXPECT_GE(copies_on_heap(), 1) << "the search does not work";
        std::vector<std::string> copies;
        for (int i = 0; i < 100; ++i) {
            copies.push_back(secret + std::string(static_cast<std::size_t>(i) * 50, 'x'));
        }
        const auto in_array = std::make_unique<char[]>(1000);
        std::ranges::copy(secret, in_array.get() + 500);
        EXPECT_GE(copies_on_heap(), 102);
    }
    EXPECT_EQ(copies_on_heap(), 0);
}

TEST_F(WipingHeap, AStringThatGrowsLeavesNoOlderCopy) {
    {
        auto secret = make_secret();
        for (int i = 0; i < 100; ++i) {
            secret += "and more";
        }
        EXPECT_EQ(copies_on_heap(), 1);
    }
    EXPECT_EQ(copies_on_heap(), 0);
}

TEST_F(WipingHeap, AlignedMemoryIsWipedToo) {
    struct alignas(64) Aligned {
        std::array<char, 128> bytes{};
    };
    {
        auto aligned = std::make_unique<Aligned>();
        std::ranges::copy(make_secret(), aligned->bytes.begin() + 64);
        EXPECT_GE(copies_on_heap(), 1);
    }
    EXPECT_EQ(copies_on_heap(), 0);
}

}  // namespace
