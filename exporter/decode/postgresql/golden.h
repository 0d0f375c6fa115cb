// Conversations with PostgreSQL 15.20 as a proxy between psql, pgbench or libpq and the server read them.
#pragma once

#include <string_view>
#include <vector>

#include "exporter/decode/postgresql/types.h"

namespace wiregauge::decode::postgresql::golden {

// What one side sent, in one piece.
struct Turn {
  Sender sender;
  std::string_view bytes;
};
using Turns = std::vector<Turn>;

using namespace std::string_view_literals;  // the literals hold zeros

inline const Turns kScram = {
    {Sender::kClient, "\000\000\000\010\004\322\026/"sv},
    {Sender::kServer, "N"sv},
    {Sender::kClient,
     "\000\000\000@\000\003\000\000user\000scramuser\000database\000postgres\000application_name\000psql"
     "\000\000"sv},
    {Sender::kServer, "R\000\000\000\027\000\000\000\nSCRAM-SHA-256\000\000"sv},
    {Sender::kClient, "p\000\000\0006SCRAM-SHA-256\000\000\000\000 n,,n=,r=OdiQpHGyMj9d0T0adoiIfuBe"sv},
    {Sender::kServer,
     "R\000\000\000\\\000\000\000\013r=OdiQpHGyMj9d0T0adoiIfuBe6/WzhoWWVBIRdWM0bw0ASs2X,s=le9uAjMc2bfiyXVr"
     "/aLIjg==,i=4096"sv},
    {Sender::kClient,
     "p\000\000\000lc=biws,r=OdiQpHGyMj9d0T0adoiIfuBe6/WzhoWWVBIRdWM0bw0ASs2X,p=p+QoyqBOzH1CZtQtUCvYKgApJk"
     "0F97fBlBCTa3y/HeU="sv},
    {Sender::kServer,
     "R\000\000\0006\000\000\000\014v=fhfMgRYtMiGEQMtopSuFXfNKN3m1gKdMh7vbhfmkoS8=R\000\000\000\010\000"
     "\000\000\000S\000\000\000\032application_name\000psql\000S\000\000\000\031client_encoding\000UTF8"
     "\000S\000\000\000\027DateStyle\000ISO, MDY\000S\000\000\000&default_transaction_read_only\000off\000"
     "S\000\000\000\027in_hot_standby\000off\000S\000\000\000\031integer_datetimes\000on\000S\000\000\000"
     "\033IntervalStyle\000postgres\000S\000\000\000\025is_superuser\000off\000S\000\000\000\031server_enc"
     "oding\000UTF8\000S\000\000\0002server_version\00015.20 (Debian 15.20-0+deb12u1)\000S\000\000\000$ses"
     "sion_authorization\000scramuser\000S\000\000\000#standard_conforming_strings\000on\000S\000\000\000"
     "\025TimeZone\000Etc/UTC\000K\000\000\000\014\000\000O\327\326\014\223/Z\000\000\000\005I"sv},
    {Sender::kClient, "Q\000\000\000\rselect 1\000"sv},
    {Sender::kServer,
     "T\000\000\000!\000\001?column?\000\000\000\000\000\000\000\000\000\000\027\000\004\377\377\377\377"
     "\000\000D\000\000\000\013\000\001\000\000\000\0011C\000\000\000\rSELECT 1\000Z\000\000\000\005I"sv},
    {Sender::kClient, "X\000\000\000\004"sv},
};

inline const Turns kMd5 = {
    {Sender::kClient, "\000\000\000\010\004\322\026/"sv},
    {Sender::kServer, "N"sv},
    {Sender::kClient,
     "\000\000\000>\000\003\000\000user\000md5user\000database\000postgres\000application_name\000psql\000"
     "\000"sv},
    {Sender::kServer, "R\000\000\000\014\000\000\000\005\220\316~|"sv},
    {Sender::kClient, "p\000\000\000(md5e8a014fce8fc635da346740ab1320c02\000"sv},
    {Sender::kServer,
     "R\000\000\000\010\000\000\000\000S\000\000\000\032application_name\000psql\000S\000\000\000\031clien"
     "t_encoding\000UTF8\000S\000\000\000\027DateStyle\000ISO, MDY\000S\000\000\000&default_transaction_re"
     "ad_only\000off\000S\000\000\000\027in_hot_standby\000off\000S\000\000\000\031integer_datetimes\000on"
     "\000S\000\000\000\033IntervalStyle\000postgres\000S\000\000\000\025is_superuser\000off\000S\000\000"
     "\000\031server_encoding\000UTF8\000S\000\000\0002server_version\00015.20 (Debian 15.20-0+deb12u1)"
     "\000S\000\000\000\"session_authorization\000md5user\000S\000\000\000#standard_conforming_strings\000"
     "on\000S\000\000\000\025TimeZone\000Etc/UTC\000K\000\000\000\014\000\000O\342\313:\273\021Z\000\000"
     "\000\005I"sv},
    {Sender::kClient, "Q\000\000\000\rselect 1\000"sv},
    {Sender::kServer,
     "T\000\000\000!\000\001?column?\000\000\000\000\000\000\000\000\000\000\027\000\004\377\377\377\377"
     "\000\000D\000\000\000\013\000\001\000\000\000\0011C\000\000\000\rSELECT 1\000Z\000\000\000\005I"sv},
    {Sender::kClient, "X\000\000\000\004"sv},
};

inline const Turns kCleartext = {
    {Sender::kClient, "\000\000\000\010\004\322\026/"sv},
    {Sender::kServer, "N"sv},
    {Sender::kClient,
     "\000\000\000@\000\003\000\000user\000plainuser\000database\000postgres\000application_name\000psql"
     "\000\000"sv},
    {Sender::kServer, "R\000\000\000\010\000\000\000\003"sv},
    {Sender::kClient, "p\000\000\000\013secret\000"sv},
    {Sender::kServer,
     "R\000\000\000\010\000\000\000\000S\000\000\000\032application_name\000psql\000S\000\000\000\031clien"
     "t_encoding\000UTF8\000S\000\000\000\027DateStyle\000ISO, MDY\000S\000\000\000&default_transaction_re"
     "ad_only\000off\000S\000\000\000\027in_hot_standby\000off\000S\000\000\000\031integer_datetimes\000on"
     "\000S\000\000\000\033IntervalStyle\000postgres\000S\000\000\000\025is_superuser\000off\000S\000\000"
     "\000\031server_encoding\000UTF8\000S\000\000\0002server_version\00015.20 (Debian 15.20-0+deb12u1)"
     "\000S\000\000\000$session_authorization\000plainuser\000S\000\000\000#standard_conforming_strings"
     "\000on\000S\000\000\000\025TimeZone\000Etc/UTC\000K\000\000\000\014\000\000O\3477m\323\tZ\000\000"
     "\000\005I"sv},
    {Sender::kClient, "Q\000\000\000\rselect 1\000"sv},
    {Sender::kServer,
     "T\000\000\000!\000\001?column?\000\000\000\000\000\000\000\000\000\000\027\000\004\377\377\377\377"
     "\000\000D\000\000\000\013\000\001\000\000\000\0011C\000\000\000\rSELECT 1\000Z\000\000\000\005I"sv},
    {Sender::kClient, "X\000\000\000\004"sv},
};

inline const Turns kWrongPassword = {
    {Sender::kClient, "\000\000\000\010\004\322\026/"sv},
    {Sender::kServer, "N"sv},
    {Sender::kClient,
     "\000\000\000@\000\003\000\000user\000scramuser\000database\000postgres\000application_name\000psql"
     "\000\000"sv},
    {Sender::kServer, "R\000\000\000\027\000\000\000\nSCRAM-SHA-256\000\000"sv},
    {Sender::kClient, "p\000\000\0006SCRAM-SHA-256\000\000\000\000 n,,n=,r=FjocNpoSCX1cJ+C5OX+jK1jq"sv},
    {Sender::kServer,
     "R\000\000\000\\\000\000\000\013r=FjocNpoSCX1cJ+C5OX+jK1jqFKVKidvIg6LjviQTzSpW5Ytb,s=le9uAjMc2bfiyXVr"
     "/aLIjg==,i=4096"sv},
    {Sender::kClient,
     "p\000\000\000lc=biws,r=FjocNpoSCX1cJ+C5OX+jK1jqFKVKidvIg6LjviQTzSpW5Ytb,p=KDWIfQCN7zYQ6c7jHLCaR8Mule"
     "gkp/cWuq0NkwfDvE8="sv},
    {Sender::kServer,
     "E\000\000\000iSFATAL\000VFATAL\000C28P01\000Mpassword authentication failed for user \"scramuser\""
     "\000Fauth.c\000L334\000Rauth_failed\000\000"sv},
};

inline const Turns kSeveralStatements = {
    {Sender::kClient,
     "Q\000\000\000Uinsert into items values (1,'a'); update items set name='b'; select * from items\000"sv},
    {Sender::kServer,
     "C\000\000\000\017INSERT 0 1\000C\000\000\000\rUPDATE 1\000T\000\000\0002\000\002id\000\000\000@\""
     "\000\001\000\000\000\027\000\004\377\377\377\377\000\000name\000\000\000@\"\000\002\000\000\000\031"
     "\377\377\377\377\377\377\000\000D\000\000\000\020\000\002\000\000\000\0011\000\000\000\001bC\000\000"
     "\000\rSELECT 1\000Z\000\000\000\005I"sv},
    {Sender::kClient, "X\000\000\000\004"sv},
};

inline const Turns kMissingTable = {
    {Sender::kClient, "Q\000\000\000\032select * from missing\000"sv},
    {Sender::kServer,
     "E\000\000\000jSERROR\000VERROR\000C42P01\000Mrelation \"missing\" does not exist\000P15\000Fparse_re"
     "lation.c\000L1392\000RparserOpenTable\000\000"sv},
    {Sender::kServer, "Z\000\000\000\005I"sv},
    {Sender::kClient, "X\000\000\000\004"sv},
};

inline const Turns kCopyIn = {
    {Sender::kClient, "Q\000\000\000\032copy items from stdin\000"sv},
    {Sender::kServer, "G\000\000\000\013\000\000\002\000\000\000\000"sv},
    {Sender::kClient, "d\000\000\000\0142\tx\n3\ty\nc\000\000\000\004"sv},
    {Sender::kServer, "C\000\000\000\013COPY 2\000Z\000\000\000\005I"sv},
    {Sender::kClient, "X\000\000\000\004"sv},
};

inline const Turns kCopyOut = {
    {Sender::kClient, "Q\000\000\000\031copy items to stdout\000"sv},
    {Sender::kServer,
     "H\000\000\000\013\000\000\002\000\000\000\000d\000\000\000\0101\tb\nd\000\000\000\0102\tx\nd\000\000"
     "\000\0103\ty\nc\000\000\000\004C\000\000\000\013COPY 3\000Z\000\000\000\005I"sv},
    {Sender::kClient, "X\000\000\000\004"sv},
};

inline const Turns kCopyInFails = {
    {Sender::kClient, "Q\000\000\000\032copy items from stdin\000"sv},
    {Sender::kServer, "G\000\000\000\013\000\000\002\000\000\000\000"sv},
    {Sender::kClient, "d\000\000\000\010x\tx\nc\000\000\000\004"sv},
    {Sender::kServer,
     "E\000\000\000\212SERROR\000VERROR\000C22P02\000Minvalid input syntax for type integer: \"x\"\000WCOP"
     "Y items, line 1, column id: \"x\"\000Fnumutils.c\000L232\000Rpg_strtoint32\000\000"sv},
    {Sender::kServer, "Z\000\000\000\005I"sv},
    {Sender::kClient, "X\000\000\000\004"sv},
};

inline const Turns kListenNotify = {
    {Sender::kClient, "Q\000\000\000\016listen ch\000"sv},
    {Sender::kServer, "C\000\000\000\013LISTEN\000Z\000\000\000\005I"sv},
    {Sender::kClient, "Q\000\000\000\024notify ch, 'hi'\000"sv},
    {Sender::kServer, "C\000\000\000\013NOTIFY\000A\000\000\000\016\000\000P\032ch\000hi\000Z\000\000\000\005I"sv},
    {Sender::kClient, "X\000\000\000\004"sv},
};

inline const Turns kEmptyQuery = {
    {Sender::kClient, "Q\000\000\000\006;\000"sv},
    {Sender::kServer, "I\000\000\000\004Z\000\000\000\005I"sv},
    {Sender::kClient, "X\000\000\000\004"sv},
};

inline const Turns kExtended = {
    {Sender::kClient,
     "P\000\000\000+\000select name from items where id=$1;\000\000\000B\000\000\000\023\000\000\000\000"
     "\000\001\000\000\000\0011\000\001\000\000D\000\000\000\006P\000E\000\000\000\t\000\000\000\000\000S"
     "\000\000\000\004"sv},
    {Sender::kServer,
     "1\000\000\000\0042\000\000\000\004T\000\000\000\035\000\001name\000\000\000@\"\000\002\000\000\000"
     "\031\377\377\377\377\377\377\000\000D\000\000\000\013\000\001\000\000\000\001bC\000\000\000\rSELECT "
     "1\000Z\000\000\000\005I"sv},
    {Sender::kClient,
     "P\000\000\000+\000select name from items where id=$1;\000\000\000B\000\000\000\023\000\000\000\000"
     "\000\001\000\000\000\0011\000\001\000\000D\000\000\000\006P\000E\000\000\000\t\000\000\000\000\000S"
     "\000\000\000\004"sv},
    {Sender::kServer,
     "1\000\000\000\0042\000\000\000\004T\000\000\000\035\000\001name\000\000\000@\"\000\002\000\000\000"
     "\031\377\377\377\377\377\377\000\000D\000\000\000\013\000\001\000\000\000\001bC\000\000\000\rSELECT "
     "1\000Z\000\000\000\005I"sv},
    {Sender::kClient, "X\000\000\000\004"sv},
};

inline const Turns kPrepared = {
    {Sender::kClient, "P\000\000\000.P_0\000select name from items where id=$1;\000\000\000S\000\000\000\004"sv},
    {Sender::kServer, "1\000\000\000\004Z\000\000\000\005I"sv},
    {Sender::kClient,
     "B\000\000\000\026\000P_0\000\000\000\000\001\000\000\000\0011\000\001\000\000D\000\000\000\006P\000E"
     "\000\000\000\t\000\000\000\000\000S\000\000\000\004"sv},
    {Sender::kServer,
     "2\000\000\000\004T\000\000\000\035\000\001name\000\000\000@\"\000\002\000\000\000\031\377\377\377"
     "\377\377\377\000\000D\000\000\000\013\000\001\000\000\000\001bC\000\000\000\rSELECT 1\000Z\000\000"
     "\000\005I"sv},
    {Sender::kClient,
     "B\000\000\000\026\000P_0\000\000\000\000\001\000\000\000\0011\000\001\000\000D\000\000\000\006P\000E"
     "\000\000\000\t\000\000\000\000\000S\000\000\000\004"sv},
    {Sender::kServer,
     "2\000\000\000\004T\000\000\000\035\000\001name\000\000\000@\"\000\002\000\000\000\031\377\377\377"
     "\377\377\377\000\000D\000\000\000\013\000\001\000\000\000\001bC\000\000\000\rSELECT 1\000Z\000\000"
     "\000\005I"sv},
    {Sender::kClient, "X\000\000\000\004"sv},
};

inline const Turns kPreparedPipeline = {
    {Sender::kClient, "P\000\000\000.P_0\000select name from items where id=$1;\000\000\000S\000\000\000\004"sv},
    {Sender::kServer, "1\000\000\000\004Z\000\000\000\005I"sv},
    {Sender::kClient, "P\000\000\0002P_1\000update items set name=name where id=$1;\000\000\000S\000\000\000\004"sv},
    {Sender::kServer, "1\000\000\000\004Z\000\000\000\005I"sv},
    {Sender::kClient, "P\000\000\000\024P_2\000select 1;\000\000\000S\000\000\000\004"sv},
    {Sender::kServer, "1\000\000\000\004Z\000\000\000\005I"sv},
    {Sender::kClient,
     "B\000\000\000\026\000P_0\000\000\000\000\001\000\000\000\0011\000\001\000\000D\000\000\000\006P\000E"
     "\000\000\000\t\000\000\000\000\000B\000\000\000\026\000P_1\000\000\000\000\001\000\000\000\0011\000"
     "\001\000\000D\000\000\000\006P\000E\000\000\000\t\000\000\000\000\000B\000\000\000\021\000P_2\000"
     "\000\000\000\000\000\001\000\000D\000\000\000\006P\000E\000\000\000\t\000\000\000\000\000S\000\000"
     "\000\004"sv},
    {Sender::kServer,
     "2\000\000\000\004T\000\000\000\035\000\001name\000\000\000@\"\000\002\000\000\000\031\377\377\377"
     "\377\377\377\000\000D\000\000\000\013\000\001\000\000\000\001bC\000\000\000\rSELECT 1\0002\000\000"
     "\000\004n\000\000\000\004C\000\000\000\rUPDATE 1\0002\000\000\000\004T\000\000\000!\000\001?column?"
     "\000\000\000\000\000\000\000\000\000\000\027\000\004\377\377\377\377\000\000D\000\000\000\013\000"
     "\001\000\000\000\0011C\000\000\000\rSELECT 1\000Z\000\000\000\005I"sv},
    {Sender::kClient,
     "B\000\000\000\026\000P_0\000\000\000\000\001\000\000\000\0011\000\001\000\000D\000\000\000\006P\000E"
     "\000\000\000\t\000\000\000\000\000B\000\000\000\026\000P_1\000\000\000\000\001\000\000\000\0011\000"
     "\001\000\000D\000\000\000\006P\000E\000\000\000\t\000\000\000\000\000B\000\000\000\021\000P_2\000"
     "\000\000\000\000\000\001\000\000D\000\000\000\006P\000E\000\000\000\t\000\000\000\000\000S\000\000"
     "\000\004"sv},
    {Sender::kServer,
     "2\000\000\000\004T\000\000\000\035\000\001name\000\000\000@\"\000\002\000\000\000\031\377\377\377"
     "\377\377\377\000\000D\000\000\000\013\000\001\000\000\000\001bC\000\000\000\rSELECT 1\0002\000\000"
     "\000\004n\000\000\000\004C\000\000\000\rUPDATE 1\0002\000\000\000\004T\000\000\000!\000\001?column?"
     "\000\000\000\000\000\000\000\000\000\000\027\000\004\377\377\377\377\000\000D\000\000\000\013\000"
     "\001\000\000\000\0011C\000\000\000\rSELECT 1\000Z\000\000\000\005I"sv},
    {Sender::kClient, "X\000\000\000\004"sv},
};

inline const Turns kAbortedPipeline = {
    {Sender::kClient,
     "P\000\000\000\020\000select 1\000\000\000B\000\000\000\016\000\000\000\000\000\000\000\001\000\000D"
     "\000\000\000\006P\000E\000\000\000\t\000\000\000\000\000P\000\000\000\022\000select 1/0\000\000\000B"
     "\000\000\000\016\000\000\000\000\000\000\000\001\000\000D\000\000\000\006P\000E\000\000\000\t\000"
     "\000\000\000\000P\000\000\000\020\000select 2\000\000\000B\000\000\000\016\000\000\000\000\000\000"
     "\000\001\000\000D\000\000\000\006P\000E\000\000\000\t\000\000\000\000\000P\000\000\000(\000insert in"
     "to items values (0,'n')\000\000\000B\000\000\000\016\000\000\000\000\000\000\000\001\000\000D\000"
     "\000\000\006P\000E\000\000\000\t\000\000\000\000\000S\000\000\000\004"sv},
    {Sender::kClient,
     "P\000\000\000\020\000select 3\000\000\000B\000\000\000\016\000\000\000\000\000\000\000\001\000\000D"
     "\000\000\000\006P\000E\000\000\000\t\000\000\000\000\000S\000\000\000\004"sv},
    {Sender::kServer,
     "1\000\000\000\0042\000\000\000\004T\000\000\000!\000\001?column?\000\000\000\000\000\000\000\000\000"
     "\000\027\000\004\377\377\377\377\000\000D\000\000\000\013\000\001\000\000\000\0011C\000\000\000\rSEL"
     "ECT 1\0001\000\000\000\004E\000\000\000ASERROR\000VERROR\000C22012\000Mdivision by zero\000Fint.c"
     "\000L869\000Rint4div\000\000"sv},
    {Sender::kServer,
     "Z\000\000\000\005I1\000\000\000\0042\000\000\000\004T\000\000\000!\000\001?column?\000\000\000\000"
     "\000\000\000\000\000\000\027\000\004\377\377\377\377\000\000D\000\000\000\013\000\001\000\000\000"
     "\0013C\000\000\000\rSELECT 1\000Z\000\000\000\005I"sv},
    {Sender::kClient, "X\000\000\000\004"sv},
};

inline const Turns kFastPath = {
    {Sender::kClient, "Q\000\000\000\nBEGIN\000"sv},
    {Sender::kServer, "C\000\000\000\nBEGIN\000Z\000\000\000\005T"sv},
    {Sender::kClient,
     "Q\000\000\001@select proname, oid from pg_catalog.pg_proc where proname in ('lo_open', 'lo_close', '"
     "lo_creat', 'lo_create', 'lo_unlink', 'lo_lseek', 'lo_lseek64', 'lo_tell', 'lo_tell64', 'lo_truncate'"
     ", 'lo_truncate64', 'loread', 'lowrite') and pronamespace = (select oid from pg_catalog.pg_namespace "
     "where nspname = 'pg_catalog')\000"sv},
    {Sender::kServer,
     "T\000\000\0006\000\002proname\000\000\000\004\347\000\002\000\000\000\023\000@\377\377\377\377\000"
     "\000oid\000\000\000\004\347\000\001\000\000\000\032\000\004\377\377\377\377\000\000D\000\000\000\030"
     "\000\002\000\000\000\007lo_open\000\000\000\003952D\000\000\000\031\000\002\000\000\000\010lo_close"
     "\000\000\000\003953D\000\000\000\027\000\002\000\000\000\006loread\000\000\000\003954D\000\000\000"
     "\030\000\002\000\000\000\007lowrite\000\000\000\003955D\000\000\000\031\000\002\000\000\000\010lo_ls"
     "eek\000\000\000\003956D\000\000\000\034\000\002\000\000\000\nlo_lseek64\000\000\000\0043170D\000\000"
     "\000\031\000\002\000\000\000\010lo_creat\000\000\000\003957D\000\000\000\032\000\002\000\000\000\tlo"
     "_create\000\000\000\003715D\000\000\000\030\000\002\000\000\000\007lo_tell\000\000\000\003958D\000"
     "\000\000\033\000\002\000\000\000\tlo_tell64\000\000\000\0043171D\000\000\000\035\000\002\000\000\000"
     "\013lo_truncate\000\000\000\0041004D\000\000\000\037\000\002\000\000\000\rlo_truncate64\000\000\000"
     "\0043172D\000\000\000\032\000\002\000\000\000\tlo_unlink\000\000\000\003964C\000\000\000\016SELECT 1"
     "3\000Z\000\000\000\005T"sv},
    {Sender::kClient, "F\000\000\000\030\000\000\003\304\000\001\000\001\000\001\000\000\000\004\000\00009\000\001"sv},
    {Sender::kServer,
     "E\000\000\000eSERROR\000VERROR\000C42704\000Mlarge object 12345 does not exist\000Fpg_largeobject.c"
     "\000L114\000RLargeObjectDrop\000\000"sv},
    {Sender::kServer, "Z\000\000\000\005E"sv},
    {Sender::kClient, "Q\000\000\000\rROLLBACK\000"sv},
    {Sender::kServer, "C\000\000\000\rROLLBACK\000Z\000\000\000\005I"sv},
    {Sender::kClient, "X\000\000\000\004"sv},
};

inline const Turns kFailedCommit = {
    {Sender::kClient,
     "P\000\000\000!\000insert into d values (1);\000\000\000B\000\000\000\016\000\000\000\000\000\000\000"
     "\001\000\000D\000\000\000\006P\000E\000\000\000\t\000\000\000\000\000S\000\000\000\004"sv},
    {Sender::kServer,
     "1\000\000\000\0042\000\000\000\004n\000\000\000\004C\000\000\000\017INSERT 0 1\000E\000\000\000\251S"
     "ERROR\000VERROR\000C23505\000Mduplicate key value violates unique constraint \"d_a_key\"\000DKey (a)"
     "=(1) already exists.\000spublic\000td\000nd_a_key\000Fnbtinsert.c\000L664\000R_bt_check_unique\000"
     "\000Z\000\000\000\005I"sv},
    {Sender::kClient, "X\000\000\000\004"sv},
};

inline const Turns kExtendedCopyIn = {
    {Sender::kClient,
     "P\000\000\000\035\000copy items from stdin\000\000\000B\000\000\000\016\000\000\000\000\000\000\000"
     "\001\000\000D\000\000\000\006P\000E\000\000\000\t\000\000\000\000\000S\000\000\000\004"sv},
    {Sender::kServer,
     "1\000\000\000\0042\000\000\000\004n\000\000\000\004G\000\000\000\013\000\000\002\000\000\000\000"sv},
    {Sender::kClient, "d\000\000\000\01610\tx\n11\ty\nc\000\000\000\004S\000\000\000\004"sv},
    {Sender::kServer, "C\000\000\000\013COPY 2\000Z\000\000\000\005I"sv},
    {Sender::kClient,
     "P\000\000\000\035\000copy items from stdin\000\000\000B\000\000\000\016\000\000\000\000\000\000\000"
     "\001\000\000D\000\000\000\006P\000E\000\000\000\t\000\000\000\000\000S\000\000\000\004"sv},
    {Sender::kServer,
     "1\000\000\000\0042\000\000\000\004n\000\000\000\004G\000\000\000\013\000\000\002\000\000\000\000"sv},
    {Sender::kClient, "d\000\000\000\016zz\tx\n11\ty\nc\000\000\000\004S\000\000\000\004"sv},
    {Sender::kServer,
     "E\000\000\000\214SERROR\000VERROR\000C22P02\000Minvalid input syntax for type integer: \"zz\"\000WCO"
     "PY items, line 1, column id: \"zz\"\000Fnumutils.c\000L232\000Rpg_strtoint32\000\000Z\000\000\000"
     "\005I"sv},
    {Sender::kClient,
     "P\000\000\000\020\000select 1\000\000\000B\000\000\000\016\000\000\000\000\000\000\000\001\000\000D"
     "\000\000\000\006P\000E\000\000\000\t\000\000\000\000\000S\000\000\000\004"sv},
    {Sender::kServer,
     "1\000\000\000\0042\000\000\000\004T\000\000\000!\000\001?column?\000\000\000\000\000\000\000\000\000"
     "\000\027\000\004\377\377\377\377\000\000D\000\000\000\013\000\001\000\000\000\0011C\000\000\000\rSEL"
     "ECT 1\000Z\000\000\000\005I"sv},
    {Sender::kClient, "X\000\000\000\004"sv},
};

inline const Turns kDescribe = {
    {Sender::kClient, "P\000\000\000\035st\000select * from items\000\000\000S\000\000\000\004"sv},
    {Sender::kServer, "1\000\000\000\004Z\000\000\000\005I"sv},
    {Sender::kClient, "D\000\000\000\010Sst\000S\000\000\000\004"sv},
    {Sender::kServer,
     "t\000\000\000\006\000\000T\000\000\0002\000\002id\000\000\000@\"\000\001\000\000\000\027\000\004\377"
     "\377\377\377\000\000name\000\000\000@\"\000\002\000\000\000\031\377\377\377\377\377\377\000\000Z\000"
     "\000\000\005I"sv},
    {Sender::kClient, "D\000\000\000\nSnope\000S\000\000\000\004"sv},
    {Sender::kServer,
     "E\000\000\000lSERROR\000VERROR\000C26000\000Mprepared statement \"nope\" does not exist\000Fprepare."
     "c\000L451\000RFetchPreparedStatement\000\000Z\000\000\000\005I"sv},
    {Sender::kClient, "P\000\000\000 bad\000select * from missing\000\000\000S\000\000\000\004"sv},
    {Sender::kServer,
     "E\000\000\000jSERROR\000VERROR\000C42P01\000Mrelation \"missing\" does not exist\000P15\000Fparse_re"
     "lation.c\000L1392\000RparserOpenTable\000\000"sv},
    {Sender::kServer, "Z\000\000\000\005I"sv},
    {Sender::kClient, "X\000\000\000\004"sv},
};

inline const Turns kCancelled = {
    {Sender::kClient, "Q\000\000\000\nBEGIN\000"sv},
    {Sender::kServer, "C\000\000\000\nBEGIN\000Z\000\000\000\005T"sv},
    {Sender::kClient, "Q\000\000\000\027select pg_sleep(5)\000"sv},
    {Sender::kServer,
     "T\000\000\000!\000\001pg_sleep\000\000\000\000\000\000\000\000\000\010\346\000\004\377\377\377\377"
     "\000\000E\000\000\000hSERROR\000VERROR\000C57014\000Mcanceling statement due to user request\000Fpos"
     "tgres.c\000L3349\000RProcessInterrupts\000\000Z\000\000\000\005E"sv},
    {Sender::kClient, "X\000\000\000\004"sv},
};

inline const Turns kCancelRequest = {
    {Sender::kClient, "\000\000\000\020\004\322\026.\000\000T\\\240\371q4"sv},
};

}  // namespace wiregauge::decode::postgresql::golden
