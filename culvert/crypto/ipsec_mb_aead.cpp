#include <array>
#include <memory>
#include <stdexcept>

#include <intel-ipsec-mb.h>
#include <sodium/utils.h>

#include "culvert/crypto/aead_backends.h"

// Intel's library for packet encryption: the only one in reach that has ChaCha20-Poly1305 for AVX-512 without a fixed
// cost per packet that eats the gain. Without AVX-512 BoringSSL is faster, so it is used with it only.

namespace culvert::crypto::detail {
namespace {

using Manager = std::unique_ptr<IMB_MGR, decltype(&free_mb_mgr)>;

/// Null where the processor lacks what the AVX-512 code needs.
Manager make_manager() {
    Manager manager{alloc_mb_mgr(0), &free_mb_mgr};
    if (manager == nullptr || (manager->features & IMB_FEATURE_AVX512_SKX) == 0) {
        return {nullptr, &free_mb_mgr};
    }
    init_mb_mgr_avx512(manager.get());
    if (imb_get_errno(manager.get()) != 0) {
        return {nullptr, &free_mb_mgr};
    }
    return manager;
}

/// A manager is scratch space for jobs, hundreds of kilobytes of it, and not thread-safe: one for each thread.
IMB_MGR* thread_manager() {
    thread_local const Manager manager = make_manager();
    return manager.get();
}

class IpsecMbContext final : public AeadContext {
public:
    explicit IpsecMbContext(const Secret<32>& key) : key_{key} {}

    void seal(const Nonce& nonce, ByteSpan plaintext, MutableByteSpan out) override {
        run(IMB_DIR_ENCRYPT, nonce, plaintext.data(), out.data(), plaintext.size(), out.data() + plaintext.size());
    }

    bool open(const Nonce& nonce, MutableByteSpan in_place) override {
        const auto ciphertext = in_place.first(in_place.size() - kTagSize);
        std::array<std::byte, kTagSize> tag;
        run(IMB_DIR_DECRYPT, nonce, ciphertext.data(), ciphertext.data(), ciphertext.size(), tag.data());
        return sodium_memcmp(tag.data(), in_place.data() + ciphertext.size(), kTagSize) == 0;
    }

private:
    void run(IMB_CIPHER_DIRECTION direction, const Nonce& nonce, const std::byte* from, std::byte* to, std::size_t size,
             std::byte* tag) const {
        IMB_MGR* const manager = thread_manager();
        if (manager == nullptr) {
            throw std::runtime_error{"ipsec-mb failed: no memory for a manager"};
        }
        IMB_JOB* job = IMB_GET_NEXT_JOB(manager);
        job->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
        job->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
        job->cipher_direction = direction;
        job->chain_order = direction == IMB_DIR_ENCRYPT ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
        job->enc_keys = key_.reveal().data();
        job->dec_keys = key_.reveal().data();
        job->key_len_in_bytes = key_.reveal().size();
        job->iv = reinterpret_cast<const std::uint8_t*>(nonce.data());
        job->iv_len_in_bytes = nonce.size();
        job->src = reinterpret_cast<const std::uint8_t*>(from);
        job->dst = reinterpret_cast<std::uint8_t*>(to);
        job->cipher_start_src_offset_in_bytes = 0;
        job->msg_len_to_cipher_in_bytes = size;
        job->hash_start_src_offset_in_bytes = 0;
        job->msg_len_to_hash_in_bytes = size;
        job->auth_tag_output = reinterpret_cast<std::uint8_t*>(tag);
        job->auth_tag_output_len_in_bytes = kTagSize;
        job->u.CHACHA20_POLY1305.aad = nullptr;
        job->u.CHACHA20_POLY1305.aad_len_in_bytes = 0;

        // This cipher is done at once, not when enough jobs have come together.
        job = IMB_SUBMIT_JOB_NOCHECK(manager);
        if (job == nullptr || job->status != IMB_STATUS_COMPLETED) {
            throw std::runtime_error{"ipsec-mb failed: ChaCha20-Poly1305"};
        }
    }

    Secret<32> key_;
};

/// Whether the library agrees with OpenSSL on messages that take its different paths: a library that this processor
/// brings to other results must not carry traffic.
bool passes_self_test() {
    Secret<32> key;
    for (std::size_t i = 0; i < key.reveal().size(); ++i) {
        key.reveal()[i] = static_cast<std::byte>(0x80 + i);
    }
    constexpr AeadContext::Nonce kNonce{std::byte{7}};
    const auto openssl = make_openssl_context(key);
    IpsecMbContext ours{key};
    for (const std::size_t size : {0U, 17U, 100U, 1280U, 5000U}) {
        const Bytes plaintext(size, std::byte{'C'});
        Bytes expected(size + kTagSize);
        Bytes actual(size + kTagSize);
        openssl->seal(kNonce, plaintext, expected);
        ours.seal(kNonce, plaintext, actual);
        if (expected != actual || !ours.open(kNonce, actual)) {
            return false;
        }
    }
    return true;
}

}  // namespace

bool ipsec_mb_is_available() {
    static const bool kAvailable = thread_manager() != nullptr && passes_self_test();
    return kAvailable;
}

std::unique_ptr<AeadContext> make_ipsec_mb_context(const Secret<32>& key) {
    return std::make_unique<IpsecMbContext>(key);
}

}  // namespace culvert::crypto::detail
