//! AES-128-CCM and ChaCha20/Poly1305.

use crate::hex;
use iotkm::crypto::Aead;
use iotkm::crypto::aead::{
    AES_CCM_8, AES_CCM_16, CHACHA20_POLY1305, Forged, MAX_KEY, MAX_KEY_AND_NONCE, MAX_NONCE, MAX_TAG,
};
use proptest::prelude::*;

static ALL: [&dyn Aead; 3] = [&AES_CCM_8, &AES_CCM_16, &CHACHA20_POLY1305];

struct Vector {
    key: &'static str,
    nonce: &'static str,
    aad: &'static str,
    text: &'static str,
    sealed: &'static str,
}

fn seal(cipher: &dyn Aead, key: &[u8], nonce: &[u8], aad: &[u8], text: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut text = text.to_vec();
    let mut tag = vec![0; cipher.tag_len()];
    cipher.seal(key, nonce, aad, &mut text, &mut tag);
    (text, tag)
}

fn check(cipher: &dyn Aead, vector: &Vector) {
    let Vector { key, nonce, aad, text, sealed } = vector;
    let (key, nonce, aad, text, sealed) = (hex(key), hex(nonce), hex(aad), hex(text), hex(sealed));
    let (mut ours, tag) = seal(cipher, &key, &nonce, &aad, &text);
    assert_eq!([ours.clone(), tag.clone()].concat(), sealed);
    assert_eq!(cipher.open(&key, &nonce, &aad, &mut ours, &tag), Ok(()));
    assert_eq!(ours, text);
}

#[test]
fn ccm_with_8_byte_tags_is_rfc_3610() {
    RFC_3610.iter().for_each(|vector| check(&AES_CCM_8, vector));
}

#[test]
fn ccm_with_16_byte_tags_is_nist_cavp() {
    CAVP.iter().for_each(|vector| check(&AES_CCM_16, vector));
}

#[test]
fn chacha20_poly1305_is_rfc_8439() {
    check(&CHACHA20_POLY1305, &RFC_8439);
}

/// Every length up to several blocks and every way to split a first block of associated data, against the `ccm` crate.
#[test]
fn ccm_equals_another_ccm() {
    use ::ccm::aead::{AeadInOut, KeyInit};
    use ::ccm::consts::{U8, U13, U16};
    let bytes: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let (key, nonce) = ([7u8; 16], [9u8; 13]);
    let eight = ::ccm::Ccm::<aes::Aes128, U8, U13>::new(&key.into());
    let sixteen = ::ccm::Ccm::<aes::Aes128, U16, U13>::new(&key.into());
    let lengths = (0..70).flat_map(|text| (0..36).map(move |aad| (text, aad)));
    for (text, aad) in lengths.chain([(65535, 0), (65535, 65279), (4096, 300)]) {
        let (text, aad) = (&bytes[..text], &bytes[..aad]);
        let mut theirs = text.to_vec();
        let tag = eight.encrypt_inout_detached(&nonce.into(), aad, (&mut theirs[..]).into()).unwrap();
        assert_eq!(seal(&AES_CCM_8, &key, &nonce, aad, text), (theirs, tag.to_vec()));
        let mut theirs = text.to_vec();
        let tag = sixteen.encrypt_inout_detached(&nonce.into(), aad, (&mut theirs[..]).into()).unwrap();
        assert_eq!(seal(&AES_CCM_16, &key, &nonce, aad, text), (theirs.clone(), tag.to_vec()));
        assert_eq!(AES_CCM_16.open(&key, &nonce, aad, &mut theirs, &tag), Ok(()));
        assert_eq!(theirs, text);
    }
}

/// Every length up to several batches of blocks, against the `chacha20poly1305` crate.
#[test]
fn chacha20_poly1305_equals_another() {
    use chacha20poly1305::aead::{AeadInOut, KeyInit};
    let bytes: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let (key, nonce) = ([7u8; 32], [9u8; 12]);
    let other = chacha20poly1305::ChaCha20Poly1305::new(&key.into());
    let lengths = (0..600).map(|text| (text, text % 37));
    for (text, aad) in lengths.chain([(65535, 0), (65536, 65279), (4096, 300)]) {
        let (text, aad) = (&bytes[..text], &bytes[..aad]);
        let mut theirs = text.to_vec();
        let tag = other.encrypt_inout_detached(&nonce.into(), aad, (&mut theirs[..]).into()).unwrap();
        assert_eq!(seal(&CHACHA20_POLY1305, &key, &nonce, aad, text), (theirs.clone(), tag.to_vec()));
        assert_eq!(CHACHA20_POLY1305.open(&key, &nonce, aad, &mut theirs, &tag), Ok(()));
        assert_eq!(theirs, text);
    }
}

#[test]
fn lengths_are_within_the_bounds() {
    for cipher in ALL {
        assert!(cipher.key_len() <= MAX_KEY && cipher.nonce_len() <= MAX_NONCE && cipher.tag_len() <= MAX_TAG);
        assert!(cipher.key_len() + cipher.nonce_len() <= MAX_KEY_AND_NONCE);
    }
}

/// A caller's mistake gives zeros, not plaintext and not a panic.
#[test]
fn wrong_lengths_give_nothing_away() {
    let bytes = [1u8; 40];
    for cipher in ALL {
        let right = [cipher.key_len(), cipher.nonce_len(), cipher.tag_len()];
        for (which, wrong) in (0..3).flat_map(|which| (0..40).map(move |wrong| (which, wrong))) {
            if wrong == right[which] {
                continue;
            }
            let mut lengths = right;
            lengths[which] = wrong;
            let [key, nonce, tag] = lengths.map(|length| &bytes[..length]);
            let mut text = *b"not to be seen";
            let mut made = tag.to_vec();
            cipher.seal(key, nonce, b"", &mut text, &mut made);
            assert!(text.iter().chain(&made).all(|byte| *byte == 0));
            let mut text = *b"not to be seen";
            assert_eq!(cipher.open(key, nonce, b"", &mut text, tag), Err(Forged));
            assert_eq!(text, [0; 14]);
        }
    }
}

#[test]
fn ccm_refuses_more_than_it_can_count() {
    let (key, nonce) = ([1; 16], [2; 13]);
    for (aad, text) in [(0, 65536), (65280, 1)] {
        let aad = vec![3; aad];
        let mut text = vec![4; text];
        let mut tag = [5; 8];
        AES_CCM_8.seal(&key, &nonce, &aad, &mut text, &mut tag);
        assert!(text.iter().chain(&tag).all(|byte| *byte == 0));
        text.fill(4);
        assert_eq!(AES_CCM_8.open(&key, &nonce, &aad, &mut text, &tag), Err(Forged));
        assert!(text.iter().all(|byte| *byte == 0));
    }
}

proptest! {
    /// Sealed and opened is the same; any changed bit is seen, and leaves no plaintext.
    #[test]
    fn any_flipped_bit_is_seen(
        bytes: [u8; MAX_KEY + MAX_NONCE],
        aad in prop::collection::vec(any::<u8>(), 0..40),
        text in prop::collection::vec(any::<u8>(), 0..100),
        at: prop::sample::Index,
    ) {
        for cipher in ALL {
            let (key, nonce) = (&bytes[..cipher.key_len()], &bytes[MAX_KEY..][..cipher.nonce_len()]);
            let (sealed, tag) = seal(cipher, key, nonce, &aad, &text);
            let mut opened = sealed.clone();
            prop_assert_eq!(cipher.open(key, nonce, &aad, &mut opened, &tag), Ok(()));
            prop_assert_eq!(&opened, &text);

            let mut all = [key, nonce, &aad, &sealed, &tag].concat();
            let bit = at.index(all.len() * 8);
            all[bit / 8] ^= 1 << (bit % 8);
            let (key, rest) = all.split_at_mut(key.len());
            let (nonce, rest) = rest.split_at_mut(nonce.len());
            let (aad, rest) = rest.split_at_mut(aad.len());
            let (sealed, tag) = rest.split_at_mut(text.len());
            prop_assert_eq!(cipher.open(key, nonce, aad, sealed, tag), Err(Forged));
            prop_assert!(sealed.iter().all(|byte| *byte == 0));
        }
    }
}

/// RFC 3610, section 8: the packet vectors with M = 8.
const RFC_3610: &[Vector] = &[
    Vector {
        key: "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf",
        nonce: "00000003020100a0a1a2a3a4a5",
        aad: "0001020304050607",
        text: "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e",
        sealed: "588c979a61c663d2f066d0c2c0f989806d5f6b61dac38417e8d12cfdf926e0",
    },
    Vector {
        key: "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf",
        nonce: "00000004030201a0a1a2a3a4a5",
        aad: "0001020304050607",
        text: "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        sealed: "72c91a36e135f8cf291ca894085c87e3cc15c439c9e43a3ba091d56e10400916",
    },
    Vector {
        key: "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf",
        nonce: "00000005040302a0a1a2a3a4a5",
        aad: "0001020304050607",
        text: "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",
        sealed: "51b1e5f44a197d1da46b0f8e2d282ae871e838bb64da8596574adaa76fbd9fb0c5",
    },
    Vector {
        key: "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf",
        nonce: "00000006050403a0a1a2a3a4a5",
        aad: "000102030405060708090a0b",
        text: "0c0d0e0f101112131415161718191a1b1c1d1e",
        sealed: "a28c6865939a9a79faaa5c4c2a9d4a91cdac8c96c861b9c9e61ef1",
    },
    Vector {
        key: "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf",
        nonce: "00000007060504a0a1a2a3a4a5",
        aad: "000102030405060708090a0b",
        text: "0c0d0e0f101112131415161718191a1b1c1d1e1f",
        sealed: "dcf1fb7b5d9e23fb9d4e131253658ad86ebdca3e51e83f077d9c2d93",
    },
    Vector {
        key: "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf",
        nonce: "00000008070605a0a1a2a3a4a5",
        aad: "000102030405060708090a0b",
        text: "0c0d0e0f101112131415161718191a1b1c1d1e1f20",
        sealed: "6fc1b011f006568b5171a42d953d469b2570a4bd87405a0443ac91cb94",
    },
    Vector {
        key: "d7828d13b2b0bdc325a76236df93cc6b",
        nonce: "00412b4ea9cdbe3c9696766cfa",
        aad: "0be1a88bace018b1",
        text: "08e8cf97d820ea258460e96ad9cf5289054d895ceac47c",
        sealed: "4cb97f86a2a4689a877947ab8091ef5386a6ffbdd080f8e78cf7cb0cddd7b3",
    },
    Vector {
        key: "d7828d13b2b0bdc325a76236df93cc6b",
        nonce: "0033568ef7b2633c9696766cfa",
        aad: "63018f76dc8a1bcb",
        text: "9020ea6f91bdd85afa0039ba4baff9bfb79c7028949cd0ec",
        sealed: "4ccb1e7ca981befaa0726c55d378061298c85c92814abc33c52ee81d7d77c08a",
    },
    Vector {
        key: "d7828d13b2b0bdc325a76236df93cc6b",
        nonce: "00103fe41336713c9696766cfa",
        aad: "aa6cfa36cae86b40",
        text: "b916e0eacc1c00d7dcec68ec0b3bbb1a02de8a2d1aa346132e",
        sealed: "b1d23a2220ddc0ac900d9aa03c61fcf4a559a4417767089708a776796edb723506",
    },
    Vector {
        key: "d7828d13b2b0bdc325a76236df93cc6b",
        nonce: "00764c63b8058e3c9696766cfa",
        aad: "d0d0735c531e1becf049c244",
        text: "12daac5630efa5396f770ce1a66b21f7b2101c",
        sealed: "14d253c3967b70609b7cbb7c499160283245269a6f49975bcadeaf",
    },
    Vector {
        key: "d7828d13b2b0bdc325a76236df93cc6b",
        nonce: "00f8b678094e3b3c9696766cfa",
        aad: "77b60f011c03e1525899bcae",
        text: "e88b6a46c78d63e52eb8c546efb5de6f75e9cc0d",
        sealed: "5545ff1a085ee2efbf52b2e04bee1e2336c73e3f762c0c7744fe7e3c",
    },
    Vector {
        key: "d7828d13b2b0bdc325a76236df93cc6b",
        nonce: "00d560912d3f703c9696766cfa",
        aad: "cd9044d2b71fdb8120ea60c0",
        text: "6435acbafb11a82e2f071d7ca4a5ebd93a803ba87f",
        sealed: "009769ecabdf48625594c59251e6035722675e04c847099e5ae0704551",
    },
];

/// NIST CAVP, CCM-VADT and CCM-VPT for AES-128: one of each length around the block's.
const CAVP: &[Vector] = &[
    Vector {
        key: "d24a3d3dde8c84830280cb87abad0bb3",
        nonce: "f1100035bb24a8d26004e0e24b",
        aad: "",
        text: "7c86135ed9c2a515aaae0e9a208133897269220f30870006",
        sealed: "1faeb0ee2ca2cd52f0aa3966578344f24e69b742c4ab37ab1123301219c70599b7c373ad4b3ad67b",
    },
    Vector {
        key: "08b0da255d2083808a1b4d367090bacc",
        nonce: "777828b13679a9e2ca89568233",
        aad: "dd",
        text: "1b156d7e2bf7c9a25ad91cff7b0b02161cb78ff9162286b0",
        sealed: "e8b80af4960d5417c15726406e345c5c46831192b03432eed16b6282283e16602331bcca9d51ce76",
    },
    Vector {
        key: "d1da2e961e78063af8de41865b226873",
        nonce: "03739f5474857006340cce554d",
        aad: "e3afd091d2b588465872a6300f",
        text: "8e5fa1a6662a8378cda15697e926841594f2f394fa5a34ab",
        sealed: "ca0d95e3ff186ad6b88d45fc4079e6b7b4a615e7e8dd5f4742d522cc9dc19c47a4fa0b1528069cf8",
    },
    Vector {
        key: "1eee667267ef10b03624cf9c341e3f75",
        nonce: "0630a3eae27e505c61c56e6560",
        aad: "d24651ef0561282d3e20e834960c",
        text: "798e31cce0a83702a95171fb1162a17b9ce00ec3592ce262",
        sealed: "f3c3e52f1a1ff528a8d3783ee4e75f114e3e6416334815d2d9236d5c5c9319092078411b72c51ba8",
    },
    Vector {
        key: "dbbd26f5d9e970e4e384b2273961be5a",
        nonce: "0b1eabe504ef4822542e397fec",
        aad: "477937301c83ba02d50760b603e0ea",
        text: "553714e17a208a2eceb847a4a2d95088388b1ac8d8ca43e0",
        sealed: "1c80213268bad5402c4dc9b5d836ab7499810d0d8a974716df9a0e986ab2890736423bb3772cec3e",
    },
    Vector {
        key: "10a7720f2e18f739c26924925af6b670",
        nonce: "8c4e7813ab9bce9dafee01c628",
        aad: "a209941fab710fda38d11c68b13d930f",
        text: "e59782a9aea45f467b90e51a0fdf166baba05663def2d8b6",
        sealed: "e357b1ccdaca6f3506dc45279c2e4c59f5307a5fd6a99cd72341ea8c0785569973f90ee9ee645acc",
    },
    Vector {
        key: "6bffab1f4f4c1ff66b4a669b515b2f8d",
        nonce: "ddb34d5e0140fb96d690e1a2b7",
        aad: "5cbba9ea778e01af00afb2a934f28c7211",
        text: "d91b12e8655dd92b1332fc1d71c391c96a17111562d90ba3",
        sealed: "d302e5b2d5d90433186b804cd7717e2db2f22cdc34fb2942ab30780a2c4f12af8f35350d65284c59",
    },
    Vector {
        key: "ddf9f150cc3f1c15e8e773663c5b061c",
        nonce: "98c5036b7d54da9a1177105600",
        aad: "20c5ab290e6d97f53c74121951f39ba865b3acc465fa3f0fb8a591622277",
        text: "79d8841ab83279724ce35e1a8abd4e158168dcf388ab4c3d",
        sealed: "d00d29396ffa9e691290d746527777bf96a851f306d4da0b1816df1e0e82bb7bc8105930ad6a2232",
    },
    Vector {
        key: "b1dc81d116d94f5eced526b37c004b95",
        nonce: "97c8f69fb91b17299461fd8d63",
        aad: "f8b08aa83bed09ca342249b2cf9e2b45a89dcfb8711a120395e455921af481",
        text: "54390715b6e7c7bd51a234db059a51ba030cf22ee00b7277",
        sealed: "cb629994c3418a662a8cde1b5f4d99aa7df66e24c53dc6df11297930fd44c63675b7cca70671ef4d",
    },
    Vector {
        key: "5a33980e71e7d67fd6cf171454dc96e5",
        nonce: "33ae68ebb8010c6b3da6b9cb29",
        aad: "eca622a37570df619e10ebb18bebadb2f2b49c4d2b2ff715873bb672e30fc0ff",
        text: "a34dfa24847c365291ce1b54bcf8d9a75d861e5133cc3a74",
        sealed: "7a60fa7ee8859e283cce378fb6b95522ab8b70efcdb0265f7c4b4fa597666b86dd1353e400f28864",
    },
    Vector {
        key: "2ebf60f0969013a54a3dedb19d20f6c8",
        nonce: "1de8c5e21f9db33123ff870add",
        aad: "e1de6c6119d7db471136285d10b47a450221b16978569190ef6a22b055295603",
        text: "",
        sealed: "0ead29ef205fbb86d11abe5ed704b880",
    },
    Vector {
        key: "6ae7a8e907b8720f4b0d5507c1d0dc41",
        nonce: "7f18ad442e536a0159e7aa8c0f",
        aad: "9c9b0f11e020c6512a63dfa1a5ec8df8bd8e2ad83cf87b80b38635621c5dc0d7",
        text: "0e",
        sealed: "4c201784bdab19e255787fecd02000c49d",
    },
    Vector {
        key: "dc8ec91184ba18eae31ac2d3b252673f",
        nonce: "0da4c988f521f5648259f2bec2",
        aad: "6d5573c9279897d7d1602d8a95c04bb5ca3fad2dbe89a024b3651eb227e73bb5",
        text: "2a5775986551c8",
        sealed: "4f259f2a718faea852a7c4358dfa9f5467357638acac90",
    },
    Vector {
        key: "38be46d271bf868c198052391f8a2147",
        nonce: "6758f67db9bfea5f0e0972e08b",
        aad: "c6de3be97f11d0e2ab85c9353b783f25b37366a78a2012cecf5b7a87138b3c86",
        text: "61bd1385be92097e866550a55278f0",
        sealed: "7c9fa8d99b38f825315ece6a2613f55e902f296dcce870263ae50cda4fadae",
    },
    Vector {
        key: "70010ed90e6186ecad41f0d3c7c42ff8",
        nonce: "a5f4f4986e98472965f5abcc4b",
        aad: "3fec0e5cc24d67139437cbc8112414fc8daccd1a94b49a4c76e2d39303547317",
        text: "be322f58efa7f8c68a635e0b9cce77f2",
        sealed: "8e4425ae573974f0f0693a188b525812eef08e3fb15f4227e0d989a4d587a8cf",
    },
    Vector {
        key: "79eae5baddc5887bdf3031fd1d65085b",
        nonce: "9da59614535d1fad35f2ece00f",
        aad: "46603500af9e4e7a2f9545411a58b21a6efd21f2b5f315d02d964c09270145b3",
        text: "001343e6191f5f1738e7d19d4eec2b9592",
        sealed: "2162e27bfbf1d00f2404754a254665fd9270f0edb415993588b2535e2e0e4fd086",
    },
    Vector {
        key: "cb83f77751e72711401cbbf4f61aa0ed",
        nonce: "c0b461b2e15b8b116ef9281704",
        aad: "2bd112231f903fa0dff085db48a2e2a96ec0199249b005d5ab4c2eab753f9ad0",
        text: "eede01b08f9a303cdf14c99d7a45732972c6eff2a1db06",
        sealed: "feb114b7bd3b43497b62454a675a632c3546d2802462c6af57647efda119c59862cd5dd3904efc",
    },
];

/// RFC 8439, section 2.8.2.
const RFC_8439: Vector = Vector {
    key: "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
    nonce: "070000004041424344454647",
    aad: "50515253c0c1c2c3c4c5c6c7",
    text: "4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f66202739393a204966204920636f756c64206f6666657220796f75206f6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73637265656e20776f756c642062652069742e",
    sealed: "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691",
};
