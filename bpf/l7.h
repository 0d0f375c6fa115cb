/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What a connection's first bytes decide here. Everything else is decided in user space, which has
 * all protocols and can change its mind. */
#ifndef WIREGAUGE_BPF_L7_H
#define WIREGAUGE_BPF_L7_H

#define L7_FIRST_BYTES 16

/* Words are little-endian, as is every machine that this is built for. */
union first_bytes {
	__u8 bytes[L7_FIRST_BYTES];
	__u64 words[L7_FIRST_BYTES / 8];
};

/*
 * A TLS handshake record with a client's or a server's hello (RFC 8446 section 5.1 and 4; the
 * record's version is 3.0 to 3.4): what follows says nothing, so none of it goes up.
 */
static __always_inline bool is_tls_hello(const union first_bytes *f)
{
	const __u8 *b = f->bytes;
	__u32 length = b[3] << 8 | b[4];

	return b[0] == 0x16 && b[1] == 3 && b[2] <= 4 && length >= 4 && length <= 1 << 14 &&
	       (b[5] == 1 || b[5] == 2);
}

/* A record of application data (RFC 8446 section 5.1), as an older connection's segments begin. */
static __always_inline bool is_tls_data(const union first_bytes *f)
{
	const __u8 *b = f->bytes;
	__u32 length = b[3] << 8 | b[4];

	return b[0] == 0x17 && b[1] == 3 && b[2] == 3 && length >= 17 && length <= (1 << 14) + 256;
}

/* RFC 9113 section 3.4. Frame headers may be anywhere, so nothing may be left out from here on. */
static __always_inline bool is_http2_preface(const union first_bytes *f)
{
	return f->words[0] == 0x5448202a20495250ULL && /* "PRI * HT" */
	       f->words[1] == 0x0a0d302e322f5054ULL;   /* "TP/2.0\r\n" */
}

/*
 * Kafka's ApiVersions request (key 18), with which clients since 0.10 begin: a frame of less than
 * 64 KiB, the key, a version, a correlation id. Producers send without waiting for answers, and
 * many requests share a segment, so nothing may be left out.
 */
static __always_inline bool is_kafka_versions(const union first_bytes *f)
{
	const __u8 *b = f->bytes;

	return !b[0] && !b[1] && !b[4] && b[5] == 18 && !b[6] && b[7] < 16 && b[8] < 0x80;
}

/*
 * MQTT's CONNECT (section 3.1) with a remaining length of one or two bytes: the protocol's name,
 * MQTT, or MQIsdp before 3.1.1. Messages of QoS 0 are never answered.
 */
static __always_inline bool is_mqtt_connect(const union first_bytes *f)
{
	const __u8 *b = f->bytes;
	int name = b[1] & 0x80 ? 3 : 2;

	return b[0] == 0x10 && !b[name] && (b[name + 1] == 4 || b[name + 1] == 6) &&
	       b[name + 2] == 'M' && b[name + 3] == 'Q';
}

/* A client's first bytes, behind which messages may begin anywhere in a burst. */
static __always_inline bool wants_every_byte(const union first_bytes *f)
{
	return is_http2_preface(f) || is_kafka_versions(f) || is_mqtt_connect(f);
}

#endif
