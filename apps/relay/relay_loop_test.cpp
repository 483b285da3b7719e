#include "apps/relay/relay_loop.h"

#include <gtest/gtest.h>

namespace culvert::relay_server {
namespace {

TEST(FormatThroughput, HasDecimalStepsAndTwoDecimals) {
    EXPECT_EQ(format_throughput(0), "0.00 B/s");
    EXPECT_EQ(format_throughput(42), "42.00 B/s");
    EXPECT_EQ(format_throughput(1234), "1.23 kB/s");
    EXPECT_EQ(format_throughput(955333999), "955.33 MB/s");
    EXPECT_EQ(format_throughput(999999), "999.99 kB/s");
    EXPECT_EQ(format_throughput(5e15), "5000.00 TB/s");
}

}  // namespace
}  // namespace culvert::relay_server
