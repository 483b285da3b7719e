#pragma once

#include <memory>

#include "culvert/crypto/aead.h"

/// The implementations behind TransportKey. Private to the folder.
namespace culvert::crypto::detail {

/// Whether BoringSSL could be loaded and computes a known answer correctly.
[[nodiscard]] bool boringssl_is_available();
/// Requires boringssl_is_available().
[[nodiscard]] std::unique_ptr<AeadContext> make_boringssl_context(const Secret<32>& key);

/// Whether the library is part of the build, the processor has AVX-512, and known answers are right.
[[nodiscard]] bool ipsec_mb_is_available();
/// Requires ipsec_mb_is_available().
[[nodiscard]] std::unique_ptr<AeadContext> make_ipsec_mb_context(const Secret<32>& key);

[[nodiscard]] std::unique_ptr<AeadContext> make_openssl_context(const Secret<32>& key);

}  // namespace culvert::crypto::detail
