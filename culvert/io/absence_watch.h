#pragma once

#include <expected>
#include <system_error>

#include "culvert/base/time.h"
#include "culvert/io/file_descriptor.h"

namespace culvert::io {

/// Notices that this process did not run for a while, because the machine slept or somebody had stopped the process,
/// so that its peers may have given it up. By CLOCK_BOOTTIME, which goes on meanwhile.
class AbsenceWatch {
public:
    /// Looks every `interval`, and at once when more than that has passed.
    [[nodiscard]] static std::expected<AbsenceWatch, std::error_code> open(Duration interval);

    /// Readable when there is something to take().
    [[nodiscard]] int fd() const { return timer_.get(); }
    /// How much longer than usual ago the last call was; zero if it is not readable.
    [[nodiscard]] Duration take();

private:
    AbsenceWatch(FileDescriptor timer, Duration interval);

    FileDescriptor timer_;
    Duration interval_;
    Duration last_;
};

}  // namespace culvert::io
