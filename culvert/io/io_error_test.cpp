#include "culvert/io/io_error.h"

#include <cerrno>

#include <gtest/gtest.h>

#include "culvert/observability/log_capture.h"
#include "culvert/observability/log_format.h"

namespace culvert::io {
namespace {

TEST(IoError, NetworkConditionsAreExpected) {
    for (const int error : {EHOSTDOWN, ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL, EINVAL}) {
        EXPECT_EQ(severity_of({Operation::kUdpSend, error}), Severity::kExpected) << error;
    }
    EXPECT_EQ(severity_of({Operation::kUdpSend, EPERM}), Severity::kPermission);
    EXPECT_EQ(severity_of({Operation::kUdpSend, EMSGSIZE}), Severity::kPathTooNarrow);
    EXPECT_EQ(severity_of({Operation::kUdpSend, ENOBUFS}), Severity::kUnexpected);
    EXPECT_EQ(severity_of({Operation::kTunWrite, EINVAL}), Severity::kUnexpected);
}

TEST(ErrorBatch, ReportsEachKindOnceWithItsCountAndHintsAtTheFirewallOnce) {
    std::vector<std::string> lines;
    const log::CaptureScope capture{log::Level::kTrace,
                                    [&](auto&&... line) { lines.push_back(log::format_human(line...)); }};
    ErrorBatch errors;
    for (int i = 0; i < 1000; ++i) {
        errors.add({Operation::kUdpSend, ENOBUFS});
        errors.add({Operation::kUdpSend, EPERM});
    }
    errors.report();
    errors.add({Operation::kUdpSend, EPERM});
    errors.report();

    ASSERT_EQ(lines.size(), 2U);
    EXPECT_NE(lines[0].find("count=1000"), std::string::npos) << lines[0];
    EXPECT_NE(lines[1].find("firewall"), std::string::npos) << lines[1];
    EXPECT_TRUE(errors.empty());
}

TEST(ErrorBatch, SaysOnceWhatToDoAboutANarrowPath) {
    std::vector<std::string> lines;
    const log::CaptureScope capture{log::Level::kInfo,
                                    [&](auto&&... line) { lines.push_back(log::format_human(line...)); }};
    ErrorBatch errors;
    for (int turn = 0; turn < 1000; ++turn) {
        errors.add({Operation::kUdpSend, EMSGSIZE});
        errors.report();
    }
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_NE(lines[0].find("raise the MTU"), std::string::npos) << lines[0];
}

}  // namespace
}  // namespace culvert::io
